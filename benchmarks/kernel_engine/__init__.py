"""A stand-in for TensorRT that launches real kernels through PyCUDA: what lies around an engine can run without one.

It has the methods of TensorRT that our backend calls and no others. Its "engine file" is a line of JSON, its network a
chain of kernels (upscale.cu): two inputs are mixed, go through some layers of arithmetic that takes as long as one asks
for, and become a picture four times as wide and high. numpy computes the same, bit for bit.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from enum import IntEnum
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edge_sr.backends.cuda_driver import probe
from edge_sr.backends.trt.gpu import Gpu
from edge_sr.backends.trt.session import EngineSession
from edge_sr.backends.trt.slot import Streams
from edge_sr.tensors import Tensors

PTX = Path(__file__).with_name("upscale.ptx")
SCALE = 4
_THREADS = 256  # a block
_INPUTS = ("lr", "noise")
_NAMES = (*_INPUTS, "sr")


@dataclass(frozen=True)
class Network:
    """height, width: of the small picture. layers: kernels between the first and the last. rounds: of arithmetic in
    each of them. largest_batch: pictures a call.
    """

    height: int
    width: int
    layers: int = 1
    rounds: int = 1
    largest_batch: int = 1

    def write(self, path: Path) -> Path:
        """As an engine file."""
        path.write_text(json.dumps(asdict(self)), "utf-8")
        return path

    def shape(self, name: str, batch: int) -> tuple[int, int, int, int]:
        scale = 1 if name in _INPUTS else SCALE
        return batch, 1, self.height * scale, self.width * scale

    def feeds(self, seed: int, batch: int = 1) -> dict[str, np.ndarray]:
        """Noise for both inputs."""
        random = np.random.default_rng(seed)
        return {name: random.random(self.shape(name, batch), np.float32) for name in _INPUTS}

    def expected(self, feeds: Tensors) -> dict[str, np.ndarray]:
        """What the kernels make of it, by numpy."""
        values = feeds["lr"] + feeds["noise"] * np.float32(0.25)
        for _ in range(self.layers * self.rounds):
            values = values * np.float32(1.5) + np.float32(0.1)
            values = values - np.floor(values)
        return {"sr": values.repeat(SCALE, axis=2).repeat(SCALE, axis=3)}


def open_network(
    network: Network,
    path: Path,
    *,
    buffers: int = 2,
    zero_copy: bool = False,
    graphs: bool = True,
    timed: bool = True,
) -> EngineSession:
    """A session of the real backend on the stand-in. path: where its engine file goes.

    EnvironmentFault where there is no GPU or no PyCUDA.
    """
    probe()
    gpu = Gpu(0, path)
    library = make_library(gpu.cuda)
    options = {"zero_copy": zero_copy, "graphs": graphs, "timed": timed}
    session = EngineSession(library, gpu, network.write(path), buffers=buffers, **options)
    # TensorRT takes a stream by its handle, PyCUDA as its object alone, and those are made after the engine.
    streams = session._parts.streams
    assert streams is not None
    library.of_handle.streams = streams
    return session


class _OfHandle:
    """The streams of a session by their handles."""

    streams: Streams

    def __call__(self, handle: int) -> Any:
        return next(stream for stream in self.streams.all if stream.handle == handle)


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING = range(3)
    Severity = int

    def log(self, severity: int, msg: str) -> None: ...


class TensorIOMode(IntEnum):
    NONE, INPUT, OUTPUT = range(3)


class IExecutionContext:
    """scratch: the values between two kernels, of a size for the largest batch, as an engine's activations are."""

    def __init__(self, engine: ICudaEngine) -> None:
        self._engine, self._cuda = engine, engine.cuda
        network = engine.network
        self._batch = network.largest_batch
        self._addresses: dict[str, int] = {}
        self._scratch = self._cuda.mem_alloc(4 * network.largest_batch * network.height * network.width)

    def __del__(self) -> None:
        if hasattr(self, "_scratch"):
            with contextlib.suppress(self._cuda.Error):
                self._scratch.free()

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        return profile_index == 0

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._batch = shape[0]
        return tuple(shape) == self._engine.network.shape(name, self._batch)

    def infer_shapes(self) -> list[str]:
        return []

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._engine.network.shape(name, self._batch)

    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[name] = memory
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Like TensorRT it says no and why, where PyCUDA raises."""
        try:
            self._launch(self._engine.of_handle(stream_handle))
        except self._cuda.Error as error:
            self._engine.log.log(ILogger.ERROR, str(error))
            return False
        return True

    def _launch(self, stream: Any) -> None:
        network, kernels = self._engine.network, self._engine.kernels
        lr, noise, sr = (self._addresses[name] for name in _NAMES)
        values, small = int(self._scratch), self._batch * network.height * network.width

        def launch(name: str, count: int, *arguments: int) -> None:
            blocks = -(-count // _THREADS)
            kernels[name].prepared_async_call((blocks, 1), (_THREADS, 1, 1), stream, *arguments)

        launch("mix", small, lr, noise, values, small)
        for _ in range(network.layers):
            launch("layer", small, values, small, network.rounds)
        large = small * SCALE * SCALE
        launch("upscale", large, values, sr, network.width, large)


class ICudaEngine:
    """kernels: prepared functions by name."""

    num_io_tensors = len(_NAMES)

    def __init__(self, cuda: Any, log: Any, of_handle: _OfHandle, network: Network) -> None:
        self.cuda, self.log, self.of_handle, self.network = cuda, log, of_handle, network
        module = cuda.module_from_buffer(PTX.read_bytes() + b"\0")  # the driver reads to the first zero
        arguments = {"mix": "PPPi", "layer": "Pii", "upscale": "PPii"}
        self.kernels = {name: module.get_function(name).prepare(types) for name, types in arguments.items()}

    def get_tensor_name(self, index: int) -> str:
        return _NAMES[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        return TensorIOMode.INPUT if name in _INPUTS else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> type:
        return np.float32

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, *self.network.shape(name, 1)[1:])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        return [self.network.shape(name, batch) for batch in (1, 1, self.network.largest_batch)]

    def create_execution_context(self) -> IExecutionContext:
        return IExecutionContext(self)


def make_library(cuda: Any) -> Any:
    """What stands where the module ``tensorrt`` would. cuda: ``pycuda.driver``. On simulated CUDA it is simulated."""
    of_handle = _OfHandle()

    class Runtime:
        def __init__(self, logger: Any) -> None:
            self._log = logger

        def deserialize_cuda_engine(self, serialized_engine: bytes) -> ICudaEngine:
            return ICudaEngine(cuda, self._log, of_handle, Network(**json.loads(serialized_engine)))

    library: Any = ModuleType("kernel_engine")
    library.__version__, library.of_handle = "stand-in", of_handle
    library.__simulated__ = getattr(cuda, "__simulated__", False)
    library.ILogger, library.TensorIOMode, library.Runtime = ILogger, TensorIOMode, Runtime
    library.nptype = lambda trt_type: trt_type
    return library
