"""The half of the simulated ``tensorrt`` that runs engines, on a simulated machine."""

from __future__ import annotations

import contextlib
import enum
from types import ModuleType
from typing import Any

import numpy as np

from tests.sim import tensorrt_build
from tests.sim.engine_file import EngineFile
from tests.sim.machine import Machine, SimulatedFault
from tests.sim.tensorrt_build import ILogger, LayerInformationFormat

_SCRATCH_BYTES = 512


class TensorIOMode(enum.IntEnum):
    NONE, INPUT, OUTPUT = range(3)


class DataType(enum.Enum):
    FLOAT, HALF, INT64 = np.float32, np.float16, np.int64


def nptype(trt_type: DataType) -> type:
    return trt_type.value


def make_module(machine: Machine, version: str = "10.3.0") -> ModuleType:
    """``tensorrt`` for one machine; its version says that it is simulated."""
    told_version = f"{version} simulated"

    class EngineInspector:
        def __init__(self, file: EngineFile) -> None:
            self._file = file

        def get_engine_information(self, format: LayerInformationFormat) -> str:
            return self._file.inspector_json()

    class IExecutionContext:
        def __init__(self, engine: ICudaEngine, log: ILogger) -> None:
            machine.call("create_execution_context")
            self._engine, self._log = engine, log
            self._scratch = machine.memory.allocate("device", _SCRATCH_BYTES, owner="an execution context")
            self._shapes: dict[str, tuple[int, ...]] = {}
            self._addresses: dict[str, int] = {}
            self._profile = False
            self._ran: dict[str, tuple[int, ...]] = {}  # the shapes of the last run: lazy set-up is done for these

        def __del__(self) -> None:
            if scratch := getattr(self, "_scratch", None):
                with contextlib.suppress(SimulatedFault):  # a destructor cannot raise; the machine keeps the fault
                    machine.memory.free(scratch)

        def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
            machine.call("set_optimization_profile_async")
            stream = machine.stream_of(stream_handle, "a change of profile")
            machine.queue(stream, "a change of profile", lambda: None, [(self._scratch, 0, _SCRATCH_BYTES, True)])
            self._profile = True
            return profile_index == 0

        def set_input_shape(self, name: str, shape: Any) -> bool:
            machine.call("set_input_shape")
            shape = tuple(shape)
            low, _, high = self._engine._limits(name)
            if not all(a <= axis <= b for a, axis, b in zip(low, shape, high, strict=True)):
                return self._fail(f"the shape {shape} of {name} lies outside the profile")
            self._shapes[name] = shape
            return True

        def infer_shapes(self) -> list[str]:
            return [n for n, is_input, *_ in self._engine._tensors if is_input and -1 in self.get_tensor_shape(n)]

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            axes: dict[Any, int] = {}
            for other, is_input, _, fixed, named in self._engine._tensors:
                if is_input:
                    axes |= dict(zip(named, self._shapes.get(other, fixed), strict=True))
            [(_, is_input, _, fixed, named)] = [t for t in self._engine._tensors if t[0] == name]
            if is_input:
                return self._shapes.get(name, fixed)
            return tuple(axis if isinstance(axis, int) else axes.get(axis, -1) for axis in named)

        def set_tensor_address(self, name: str, memory: int) -> bool:
            machine.call("set_tensor_address")
            self._addresses[name] = memory
            return True

        def execute_async_v3(self, stream_handle: int) -> bool:
            if not machine.call("execute_async_v3", in_capture=True):
                return self._fail("CUDA error 702 in the enqueue: the launch timed out and was terminated")
            stream = machine.stream_of(stream_handle, "an inference")
            tensors = self._engine._tensors
            if not self._profile:
                return self._fail("no optimization profile was chosen for this context")
            if unset := [name for name, *_ in tensors if name not in self._addresses] or self.infer_shapes():
                return self._fail(f"address or shape is not set: {', '.join(unset)}")
            if stream.capture is not None and self._ran != self._shapes:
                machine.fault("a capture without a warm-up at these shapes")
            self._ran = dict(self._shapes)
            shapes = {name: self.get_tensor_shape(name) for name, *_ in tensors}
            addresses = dict(self._addresses)
            views, touches = {}, [(self._scratch, 0, _SCRATCH_BYTES, True)]
            for name, is_input, dtype, *_ in tensors:
                size = int(np.prod(shapes[name])) * np.dtype(dtype).itemsize
                region, at = machine.memory.find(addresses[name], size, f"an inference, for {name},")
                views[name] = region.bytes[at : at + size].view(dtype).reshape(shapes[name])
                touches.append((region, at, at + size, not is_input))

            def stale() -> str:
                if self._addresses != addresses:
                    return "an address changed"
                return "a shape changed" if {n: self.get_tensor_shape(n) for n in shapes} != shapes else ""

            machine.queue(stream, "an inference", lambda: self._engine._compute(views), touches, stale)
            return True

        def _fail(self, why: str) -> bool:
            self._log.log(ILogger.ERROR, why)
            return False

    class ICudaEngine:
        def __init__(self, file: EngineFile, log: ILogger) -> None:
            self._file, self._log = file, log
            self._tensors = file.tensors()
            self._weights = machine.memory.allocate("device", len(file.onnx_bytes), owner="an engine")

        def __del__(self) -> None:
            with contextlib.suppress(SimulatedFault):
                machine.memory.free(self._weights)

        @property
        def num_io_tensors(self) -> int:
            return len(self._tensors)

        def get_tensor_name(self, index: int) -> str:
            return self._tensors[index][0]

        def get_tensor_mode(self, name: str) -> TensorIOMode:
            return TensorIOMode.INPUT if self._tensor(name)[1] else TensorIOMode.OUTPUT

        def get_tensor_dtype(self, name: str) -> DataType:
            return DataType(self._tensor(name)[2])

        def get_tensor_shape(self, name: str) -> tuple[int, ...]:
            return self._tensor(name)[3]

        def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
            return [tuple(shape) for shape in self._limits(name)]

        def create_execution_context(self) -> IExecutionContext:
            return IExecutionContext(self, self._log)

        def create_engine_inspector(self) -> EngineInspector:
            return EngineInspector(self._file)

        @property
        def device_memory_size_v2(self) -> int:
            return _SCRATCH_BYTES

        def _tensor(self, name: str) -> Any:
            return next(tensor for tensor in self._tensors if tensor[0] == name)

        def _limits(self, name: str) -> list[Any]:
            return self._file.profile.get(name) or [self._tensor(name)[3]] * 3

        def _compute(self, views: dict[str, np.ndarray]) -> None:
            outputs = [name for name, is_input, *_ in self._tensors if not is_input]
            feeds = {name: views[name] for name in views if name not in outputs}
            for name, result in zip(outputs, self._file.session().run(outputs, feeds), strict=True):
                views[name][...] = result

    class Runtime:
        def __init__(self, logger: ILogger) -> None:
            self._log = logger

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine | None:
            file = EngineFile.of(bytes(serialized_engine))
            if file is None or file.version != told_version:
                made = f"built by {file.version}" if file else "no engine of this simulator"
                self._log.log(ILogger.ERROR, f"Serialization assertion failed: {made}")
                return None
            return ICudaEngine(file, self._log)

    module = ModuleType("tensorrt")
    module.__simulated__ = True  # type: ignore[attr-defined]
    module.__version__ = told_version  # type: ignore[attr-defined]
    for name, member in vars(tensorrt_build).items():
        if isinstance(member, type) and member.__module__ == tensorrt_build.__name__:
            setattr(module, name, member)
    del module.Severity  # it is ILogger's
    module.Builder = tensorrt_build.make_builder(machine, told_version)  # type: ignore[attr-defined]
    for member in (TensorIOMode, DataType, EngineInspector, IExecutionContext, ICudaEngine, Runtime, nptype):
        setattr(module, member.__name__, member)
    return module
