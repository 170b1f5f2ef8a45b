"""The half of the simulated ``tensorrt`` that builds engines, with the names and arguments of TensorRT."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import onnx
import onnxruntime

from tests.sim.engine_file import EngineFile
from tests.sim.machine import Machine


class Severity(enum.IntEnum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class ILogger:
    Severity = Severity
    INTERNAL_ERROR, ERROR, WARNING = Severity.INTERNAL_ERROR, Severity.ERROR, Severity.WARNING
    INFO, VERBOSE = Severity.INFO, Severity.VERBOSE

    def __init__(self) -> None:
        self.initialised = True

    def log(self, severity: Severity, msg: str) -> None:
        raise NotImplementedError


class IProgressMonitor:
    def __init__(self) -> None: ...

    def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None: ...

    def step_complete(self, phase_name: str, step: int) -> bool:
        return True

    def phase_finish(self, phase_name: str) -> None: ...


class NetworkDefinitionCreationFlag(enum.IntEnum):
    STRONGLY_TYPED = 1


class MemoryPoolType(enum.IntEnum):
    WORKSPACE = 0


class ProfilingVerbosity(enum.IntEnum):
    LAYER_NAMES_ONLY, NONE, DETAILED = range(3)


class LayerInformationFormat(enum.IntEnum):
    ONELINE, JSON = range(2)


class ITensor:
    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        self.name, self.shape = name, shape


class INetworkDefinition:
    def __init__(self, flags: int) -> None:
        self.flags, self.onnx_bytes = flags, b""
        self._inputs: list[ITensor] = []

    @property
    def num_inputs(self) -> int:
        return len(self._inputs)

    def get_input(self, index: int) -> ITensor:
        return self._inputs[index]


class ParserError:
    def __init__(self, desc: str, name: str = "", operator: str = "") -> None:
        self._desc, self._name, self._operator = desc, name, operator

    def desc(self) -> str:
        return self._desc

    def node(self) -> int:
        return 0

    def node_name(self) -> str:
        return self._name

    def node_operator(self) -> str:
        return self._operator


class OnnxParser:
    def __init__(self, network: INetworkDefinition, logger: ILogger) -> None:
        self._network = network
        self._errors: list[ParserError] = []

    def parse_from_file(self, model: str) -> bool:
        content = Path(model).read_bytes()
        try:
            graph = onnx.load_model_from_string(content).graph
        except Exception:
            self._errors = [ParserError("Failed to parse the model")]
            return False
        known = {schema.name for schema in onnx.defs.get_all_schemas()}
        strange = [node for node in graph.node if node.op_type not in known]
        self._errors = [ParserError("no importer for this operator", node.name, node.op_type) for node in strange]
        self._network.onnx_bytes = content
        for value in graph.input:
            axes = value.type.tensor_type.shape.dim
            shape = tuple(axis.dim_value if axis.HasField("dim_value") else -1 for axis in axes)
            self._network._inputs.append(ITensor(value.name, shape))
        return not strange

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> ParserError:
        return self._errors[index]


class IOptimizationProfile:
    def __init__(self) -> None:
        self.shapes: dict[str, list[list[int]]] = {}

    def set_shape(self, input: str, min: Any, opt: Any, max: Any) -> None:
        if not all(0 <= a <= b <= c for a, b, c in zip(min, opt, max, strict=True)):
            raise ValueError("inconsistent profile")
        self.shapes[input] = [list(min), list(opt), list(max)]


class IHostMemory:
    def __init__(self, content: bytes) -> None:
        self._content = content

    @property
    def nbytes(self) -> int:
        return len(self._content)

    def __bytes__(self) -> bytes:
        return self._content


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def serialize(self) -> IHostMemory:
        return IHostMemory(self.content)


def timing_cache_of(version: str) -> bytes:
    return f"SIMULATED timing cache of {version}".encode()


class IBuilderConfig:
    def __init__(self, version: str) -> None:
        self.builder_optimization_level = 3
        self.profiling_verbosity = ProfilingVerbosity.LAYER_NAMES_ONLY
        self.max_aux_streams = 1
        self.progress_monitor: IProgressMonitor | None = None
        self._version = version
        self._pools: dict[MemoryPoolType, int] = {}
        self._profiles: list[IOptimizationProfile] = []
        self._cache: ITimingCache | None = None

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self._pools[pool] = pool_size

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache | None:
        if serialized_timing_cache and not serialized_timing_cache.startswith(b"SIMULATED"):
            return None
        return ITimingCache(serialized_timing_cache or timing_cache_of(self._version))

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        if cache.content != timing_cache_of(self._version) and not ignore_mismatch:
            return False
        self._cache = cache
        return True

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1


def make_builder(machine: Machine, version: str) -> type:
    """The class ``Builder`` for one machine."""

    class Builder:
        def __init__(self, logger: ILogger) -> None:
            if not getattr(logger, "initialised", False):
                raise TypeError("ILogger.__init__ was not called")
            self._log = logger

        def create_network(self, flags: int = 0) -> INetworkDefinition:
            if not flags & 1 << int(NetworkDefinitionCreationFlag.STRONGLY_TYPED):
                machine.fault("a network that is not strongly typed: its Q/DQ nodes and casts would not decide")
            return INetworkDefinition(flags)

        def create_builder_config(self) -> IBuilderConfig:
            return IBuilderConfig(version)

        def create_optimization_profile(self) -> IOptimizationProfile:
            return IOptimizationProfile()

        def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
            shapes = config._profiles[0].shapes if config._profiles else {}
            unset = [tensor.name for tensor in network._inputs if -1 in tensor.shape and tensor.name not in shapes]
            if unset:
                return self._fail(f"Network has dynamic inputs without a profile: {', '.join(unset)}")
            if config._pools.get(MemoryPoolType.WORKSPACE, 1 << 60) > machine.free_mib << 20:
                return self._fail("Requested amount of GPU memory could not be allocated: out of memory")
            if not _walk(config.progress_monitor, machine):
                return self._fail("Build was cancelled")
            detailed = config.profiling_verbosity == ProfilingVerbosity.DETAILED
            engine = EngineFile(version, shapes, detailed, network.onnx_bytes)
            try:
                engine.session()
            except onnxruntime.capi.onnxruntime_pybind11_state.Fail as error:
                return self._fail(str(error))
            return IHostMemory(engine.to_bytes())

        def _fail(self, why: str) -> None:
            self._log.log(ILogger.ERROR, why)

    return Builder


def _walk(monitor: IProgressMonitor | None, machine: Machine) -> bool:
    """Two phases, one inside the other; False where the monitor asks to stop."""
    monitor = monitor or IProgressMonitor()
    monitor.phase_start("Building Engine", None, 2)
    monitor.phase_start("Tactic Selection", "Building Engine", 4)
    for step in range(4):
        machine.during_build(step)
        if not monitor.step_complete("Tactic Selection", step):
            return False
    monitor.phase_finish("Tactic Selection")
    more = monitor.step_complete("Building Engine", 0)
    monitor.phase_finish("Building Engine")
    return more
