"""What goes in and out of an engine, read from the engine itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_sr.backends.trt.library import Messages
from edge_sr.errors import IntegrityError
from edge_sr.tensors import TensorSpec

if TYPE_CHECKING:
    import tensorrt as trt

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Port:
    """One input or output. limits: least, tuned for and largest shape of an input whose batch is free, else None."""

    name: str
    dtype: np.dtype[Any]
    is_input: bool
    shape: Shape
    limits: tuple[Shape, Shape, Shape] | None

    @property
    def spec(self) -> TensorSpec:
        return TensorSpec(self.name, tuple("N" if axis == -1 else axis for axis in self.shape), self.dtype.name)


def load_engine(trt: ModuleType, runtime: trt.Runtime, said: Messages, artifact: Path) -> Any:
    """The engine, which the runtime must outlive. IntegrityError where TensorRT does not take the file."""
    engine = runtime.deserialize_cuda_engine(artifact.read_bytes())
    if engine is None:
        what = f"TensorRT {trt.__version__} does not load it: {said.reason}"
        hint = "edge-sr build; an engine serves one kind of GPU and one version of TensorRT"
        raise IntegrityError(what, where=artifact, expected="an engine made on this machine", hint=hint)
    return engine


def ports_of(trt: ModuleType, engine: trt.ICudaEngine) -> tuple[Port, ...]:
    """In the engine's order."""
    ports = []
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        shape = tuple(engine.get_tensor_shape(name))
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        limits = None
        if is_input and -1 in shape:
            least, tuned, most = (tuple(dims) for dims in engine.get_tensor_profile_shape(name, 0))
            limits = (least, tuned, most)
        ports.append(Port(name, np.dtype(trt.nptype(engine.get_tensor_dtype(name))), is_input, shape, limits))
    return tuple(ports)
