"""An ONNX file into a TensorRT engine, by one path for TensorRT 10.3 to 11.

The types stand in the graph (Q/DQ nodes and casts) and the network is strongly typed, so no precision flag is set:
TensorRT 11 has none. An engine is machine code for one GPU, one TensorRT and one range of batches.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TextIO

from build_engines.targets.engine_layers import layer_types
from build_engines.targets.progress import BuildProgress
from build_engines.targets.trt_options import CompileReport, TrtOptions
from edge_sr.backends.cuda_driver import CudaDevice, free_mib, probe
from edge_sr.backends.trt.library import Messages, import_tensorrt, is_simulated, make_log
from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from edge_sr.image.atomic import write_atomically

if TYPE_CHECKING:
    import tensorrt as trt

_POLL_S = 0.2
_LIBRARIES_MIB = 256  # what TensorRT and its kernels take of a Jetson's shared memory before the first tactic
_WEIGHT_COPIES = 3  # the parsed ones, the builder's and the engine's


def compile(
    onnx_file: Path,
    engine_file: Path,
    options: TrtOptions,
    *,
    timing_cache: Path | None,
    tell: Callable[[str], None],
    terminal: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> CompileReport:
    """Write engine_file. Stopped by Ctrl-C it ends at the builder's next step, leaves nothing and raises
    KeyboardInterrupt.

    timing_cache: read if it is there, written afterwards; makes the next build of a like graph fast. tell: takes notes,
    and a line every 5 s while it compiles unless ``terminal`` (None for no terminal) shows a bar.
    EnvironmentFault without a GPU, TensorRT or enough free memory, and where the build fails; IntegrityError where
    TensorRT does not take the file; UsageError where the batches do not fit its inputs.
    """
    if not onnx_file.is_file():
        raise IntegrityError("no such file", where=onnx_file, expected="an ONNX file")
    device = probe()  # before any TensorRT object: a Runtime without a driver crashes the process
    library = import_tensorrt()
    _check_memory(device, onnx_file, options)
    started = clock()
    said = Messages()
    progress = BuildProgress(tell, terminal=terminal, clock=clock)
    engine, cache, cache_state = _compiled(library, onnx_file, options, said, progress, timing_cache)
    inspector = _inspect(library, engine, said)
    write_atomically(engine_file, engine, overwrite=True)
    if timing_cache is not None:
        write_atomically(timing_cache, cache, overwrite=True)
    types = layer_types(inspector)
    return CompileReport(
        seconds=clock() - started,
        bytes=len(engine),
        layers=sum(types.values()),
        reformat_layers=types["Reformat"],
        inspector=inspector,
        version=f"{library.__version__}, CUDA {device.cuda}",
        timing_cache=cache_state,
        warnings=tuple(said.warnings),
        simulated=is_simulated(library),
    )


def _compiled(
    trt: ModuleType,
    onnx_file: Path,
    options: TrtOptions,
    said: Messages,
    progress: BuildProgress,
    timing_cache: Path | None,
) -> tuple[bytes, bytes, str]:
    """The engine, the timing cache, and what became of the cache that was there."""
    log = make_log(trt, said)
    builder = trt.Builder(log)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    _parse(parser, onnx_file, str(trt.__version__))
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    config.builder_optimization_level = options.optimization_level
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED  # so that the inspector knows types of layers
    config.max_aux_streams = 0  # further streams would not be captured into a CUDA graph
    _add_profile(builder, network, config, options, onnx_file)
    cache, cache_state = _attach_timing_cache(config, timing_cache, progress)
    monitor = _make_monitor(trt, progress)  # held here: TensorRT keeps no reference
    config.progress_monitor = monitor
    plan = _build(builder, network, config, progress)
    if plan is None:
        raise EnvironmentFault(f"TensorRT built no engine: {said.reason}", where=onnx_file, hint=_hint(said))
    return bytes(plan), bytes(cache.serialize()), cache_state


def _check_memory(device: CudaDevice, onnx_file: Path, options: TrtOptions) -> None:
    free = free_mib(device)
    weights = (onnx_file.stat().st_size >> 20) + 1
    needed = options.workspace_mib + _WEIGHT_COPIES * weights + _LIBRARIES_MIB
    if free < needed:
        what = f"{free} MiB of {device.memory_mib} are free on {device.name}, a build may take {needed}"
        hint = f"stop other programs, or a workspace below {options.workspace_mib} MiB"
        raise EnvironmentFault(what, where=onnx_file, hint=hint)


def _make_monitor(trt: ModuleType, progress: BuildProgress) -> Any:
    class Monitor(trt.IProgressMonitor):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
            progress.phase_start(phase_name, num_steps)

        def step_complete(self, phase_name: str, step: int) -> bool:
            return progress.step_complete(phase_name, step)

        def phase_finish(self, phase_name: str) -> None:
            progress.phase_finish(phase_name)

    return Monitor()


def _parse(parser: trt.OnnxParser, onnx_file: Path, version: str) -> None:
    """IntegrityError with every reason of the parser."""
    if parser.parse_from_file(str(onnx_file)):
        return
    lines = []
    for number in range(parser.num_errors):
        error: trt.ParserError = parser.get_error(number)
        node = f"node {error.node_name() or error.node()} ({error.node_operator()}): " if error.node_operator() else ""
        lines.append(f"\n  {node}{error.desc()}")
    what = f"TensorRT {version} does not take it:{''.join(lines)}"
    raise IntegrityError(what, where=onnx_file, hint="edge-sr build --lint-only")


def _add_profile(
    builder: trt.Builder,
    network: trt.INetworkDefinition,
    config: trt.IBuilderConfig,
    options: TrtOptions,
    onnx_file: Path,
) -> None:
    """One profile over the first axis of every input where that is free."""
    profile = builder.create_optimization_profile()
    free = False
    for number in range(network.num_inputs):
        tensor: trt.ITensor = network.get_input(number)
        first, *rest = tuple(tensor.shape) or (1,)
        if -1 in rest:
            raise UsageError(f"{tensor.name} has the shape {(first, *rest)}", where=onnx_file, expected="a free batch")
        if first == -1:
            free = True
            profile.set_shape(tensor.name, *((batch, *rest) for batch in options.batch))
    if free and config.add_optimization_profile(profile) < 0:
        raise UsageError(f"TensorRT refuses the batches {options.batch}", where=onnx_file)
    if not free and len(set(options.batch)) > 1:
        raise UsageError(f"no input has a free batch, asked for {options.batch}", where=onnx_file)


def _attach_timing_cache(
    config: trt.IBuilderConfig, file: Path | None, progress: BuildProgress
) -> tuple[trt.ITimingCache, str]:
    """The cache, to be held until the engine is built, and what became of the file."""
    state = "none" if file is None else "new"
    if file is not None and file.is_file():
        cache: trt.ITimingCache = config.create_timing_cache(file.read_bytes())
        if cache is not None and config.set_timing_cache(cache, ignore_mismatch=False):
            return cache, "read"
        progress.tell(f"{file} was made by another GPU or TensorRT; it is ignored and written anew")
        state = "foreign"
    empty: trt.ITimingCache = config.create_timing_cache(b"")
    config.set_timing_cache(empty, ignore_mismatch=False)
    return empty, state


def _build(
    builder: trt.Builder,
    network: trt.INetworkDefinition,
    config: trt.IBuilderConfig,
    progress: BuildProgress,
) -> trt.IHostMemory | None:
    """The serialised engine; None where the builder failed. KeyboardInterrupt where Ctrl-C stopped it.

    The builder works in a thread of its own, so that the main one can draw and hear Ctrl-C while a step takes minutes.
    """
    plans: list[trt.IHostMemory | None] = []
    thread = threading.Thread(
        target=lambda: plans.append(builder.build_serialized_network(network, config)), name="TensorRT build"
    )
    with _ctrl_c_cancels(progress):
        thread.start()
        try:
            while thread.is_alive():
                thread.join(_POLL_S)
                progress.beat()
        finally:  # where telling failed, say on a closed pipe
            if thread.is_alive():
                progress.cancel()
                thread.join()
    progress.finish()
    if progress.cancelled:
        raise KeyboardInterrupt
    return plans[0] if plans else None


@contextmanager
def _ctrl_c_cancels(progress: BuildProgress) -> Iterator[None]:
    """No KeyboardInterrupt inside: raised in one of TensorRT's callbacks it would fly through TensorRT's own code."""
    if threading.current_thread() is not threading.main_thread():  # only that one may set handlers
        yield
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: progress.cancel())
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)


def _inspect(trt: ModuleType, plan: bytes, said: Messages) -> str:
    """The inspector's JSON; that the engine loads is shown on the way."""
    log = make_log(trt, said)
    runtime = trt.Runtime(log)
    engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EnvironmentFault(f"TensorRT does not load the engine that it built: {said.reason}")
    return str(engine.create_engine_inspector().get_engine_information(trt.LayerInformationFormat.JSON))


def _hint(said: Messages) -> str:
    memory = any("memory" in error.lower() for error in said.errors)
    return "a larger workspace, or fewer programs beside it" if memory else "edge-sr build --lint-only"
