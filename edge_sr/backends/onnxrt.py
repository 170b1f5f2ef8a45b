"""ONNX Runtime: the backend that runs everywhere, and the float32 reference of every other one."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from edge_sr.backends.base import check_out, stream_by_run
from edge_sr.backends.onnxrt_binding import run_bound
from edge_sr.backends.onnxrt_providers import check_provider, check_started, listed
from edge_sr.device.cores import usable_physical_cores
from edge_sr.device.facts import read_facts
from edge_sr.errors import DeviceLost, EdgeSRError, EnvironmentFault, IntegrityError, UsageError
from edge_sr.tensors import Tensors, TensorSpec, check_feeds

# Names of ONNX Runtime's element types, https://onnxruntime.ai/docs/api/python/api_summary.html (NodeArg.type).
_DTYPES = {"tensor(float)": "float32", "tensor(double)": "float64", "tensor(float16)": "float16"}
_FATAL = 4  # every error also comes back as an exception, so its log line would say it twice
_CUDA_FAILURE = re.compile(r"\b(CUDA|CUDNN|CUBLAS) failure\b")  # onnxruntime/core/providers/cuda/cuda_call.cc
MOST_THREADS = 8  # of one network: a share of a 64x64 tile is soon smaller than the waking of its thread; an estimate


class OnnxRuntime:
    """threads: None takes one for each physical core that this process may use, MOST_THREADS at most.

    spinning: within a run, threads that wait for the next layer spin instead of sleeping. That gains something where
    the process has its cores to itself; where it has not, they take the very time that they wait for, and a picture
    takes many times as long (benchmarks/onnxrt_options.py). A laptop's desktop and a service's board are shared, so it
    is off unless asked for. Between two runs nothing spins either way.

    fused_pairs: Q/DQ pairs become 8-bit kernels; without, a graph is computed as it is written, which is how one for
    another runtime is judged (version 1.31 makes an invalid graph of pairs with FP16 scales).

    provider: "cpu", or "cuda" for NVIDIA GPUs, with the package onnxruntime-gpu. It has no 8-bit convolutions, so Q/DQ
    graphs gain nothing on it; what edge-sr build makes for this backend is for the CPU, and is not taken for it.
    """

    name = "onnxruntime"

    def __init__(
        self, threads: int | None = None, spinning: bool = False, fused_pairs: bool = True, *, provider: str = "cpu"
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError(f"got {threads} threads", expected="1 or more, or none for one a physical core")
        self._ort = _import_onnxruntime()
        check_provider(self._ort, provider)
        self.provider = provider
        self._threads = threads or min(usable_physical_cores(), MOST_THREADS)
        self._spinning = spinning
        self._fused_pairs = fused_pairs

    @property
    def version(self) -> str:
        """E.g. ``"1.31.1"``, with the CUDA provider ``"1.31.1, CUDA"``."""
        return f"{self._ort.__version__}{', CUDA' if self.provider == 'cuda' else ''}"

    def open(self, artifact: Path) -> OnnxSession:
        """Raises IntegrityError naming the file where it is damaged, missing, or newer than this ONNX Runtime."""
        return OnnxSession(self.inference_session(artifact), artifact, _failures(self._ort))

    def inference_session(self, artifact: Path, *, optimized: Path | None = None, profile: Path | None = None) -> Any:
        """ONNX Runtime's own session, with our options. optimized: where the graph is saved as it has optimised it.

        Such a file is for this version and processor alone: it holds ONNX Runtime's own operators. profile: how the
        name of the file begins in which the times of all nodes are, once the session's end_profiling has returned it.
        """
        if not Path(artifact).is_file():
            raise IntegrityError("no such file", where=artifact, expected="an ONNX file")
        options = self._options()
        if optimized is not None:
            options.optimized_model_filepath = str(optimized)
        if profile is not None:
            options.enable_profiling = True
            options.profile_file_prefix = str(profile)
        try:
            # enable_fallback would print, and go on with the CPU under another name.
            providers = listed(self.provider)
            session = self._ort.InferenceSession(str(artifact), options, providers=providers, enable_fallback=0)
        except _failures(self._ort) as error:
            what = f"onnxruntime {self.version} cannot open it: {_reason(error)}"
            raise IntegrityError(what, where=artifact, expected="ONNX of opset 19 or 20, IR 10 or less") from error
        check_started(session, self.provider)
        return session

    def _options(self) -> Any:
        options = self._ort.SessionOptions()
        options.intra_op_num_threads = self._threads
        options.inter_op_num_threads = 1  # our graphs are chains
        options.graph_optimization_level = self._ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.log_severity_level = _FATAL
        options.add_session_config_entry("session.intra_op.allow_spinning", "1" if self._spinning else "0")
        options.add_session_config_entry("session.force_spinning_stop", "1")  # at the end of each run
        options.add_session_config_entry("session.disable_quant_qdq", "0" if self._fused_pairs else "1")
        # Without VNNI the sums of u8 x s8 products saturate at 16 bits on x86; this makes the weights u8.
        options.add_session_config_entry("session.x64quantprecision", "1" if _saturates() else "0")
        return options


class OnnxSession:
    """One ONNX file in ONNX Runtime; see ``backends.base.Session``. Threads may share it."""

    def __init__(self, session: Any, artifact: Path, failures: tuple[type[Exception], ...]) -> None:
        self.inputs = tuple(map(_spec, session.get_inputs()))
        self.outputs = tuple(map(_spec, session.get_outputs()))
        self.times: Mapping[str, float] = {}
        self._names = [spec.name for spec in self.outputs]
        self._session = session
        self._artifact = artifact
        self._failures: tuple[type[Exception], ...] = (*failures, RuntimeError)  # the latter from what is bound

    def run(self, feeds: Tensors, *, out: Tensors | None = None) -> Tensors:
        """As in ``Session``; with CUDA its copies count as compute. DeviceLost where the GPU fails."""
        if self._session is None:
            raise EdgeSRError("session is closed", where=self._artifact)
        check_feeds(self.inputs, feeds)
        if out:
            check_out(self.outputs, out)
        start = time.perf_counter()
        try:
            # Without arrays of the caller its own run is faster: it gives away the memory that it computed in.
            session, names = self._session, self._names
            results = run_bound(session, feeds, out, names) if out else session.run(names, feeds)
        except self._failures as error:
            failure = DeviceLost if _CUDA_FAILURE.search(str(error)) else EdgeSRError
            raise failure(f"onnxruntime failed: {_reason(error)}", where=self._artifact) from error
        self.times = {"compute": (time.perf_counter() - start) * 1e3}
        return dict(zip(self._names, results, strict=True))

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        return stream_by_run(self, feeds)

    def close(self) -> None:
        self._session = None  # the last reference: its threads and memory go with it

    def __enter__(self) -> OnnxSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@cache
def _saturates() -> bool:
    facts = read_facts()
    return facts.machine == "x86_64" and not {"avx512_vnni", "avx_vnni"} & set(facts.cpu_features or ())


def _import_onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise EnvironmentFault(f"onnxruntime: {error}", hint='pip install "edge-sr[cpu]"') from error
    onnxruntime.set_default_logger_severity(_FATAL)  # it warns of absent GPUs and of pinning threads in a container
    module: ModuleType = onnxruntime
    return module


def _failures(ort: ModuleType) -> tuple[type[Exception], ...]:
    """Its exceptions share no base but Exception, so they are listed."""
    state = ort.capi.onnxruntime_pybind11_state
    names = "Fail InvalidArgument InvalidGraph InvalidProtobuf NoSuchFile NotImplemented RuntimeException"
    return tuple(getattr(state, name) for name in names.split())


def _reason(error: Exception) -> str:
    """Its message without error number, file name and C++ signature."""
    text = str(error).strip().split(" : ", 3)[-1].split(" failed:", 1)[-1]
    return re.sub(r"/\S+\.(cc|h):\d+ .*?\)( const)? (?=\w)", "", text)[:300]


def _spec(node: Any) -> TensorSpec:
    """A free axis without a name is called "?"."""
    dtype = _DTYPES.get(node.type, node.type.removeprefix("tensor(").removesuffix(")"))
    return TensorSpec(node.name, tuple("?" if axis is None else axis for axis in node.shape), dtype)
