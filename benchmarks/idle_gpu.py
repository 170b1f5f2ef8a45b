"""A GPU, PyCUDA, cuda-python and TensorRT that do nothing and take no time: what is left is what our own code costs.

    python -m benchmarks.idle_gpu

The real libraries' calls are missing in its figures, about twenty a picture.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import numpy as np

from edge_sr.backends import cuda_driver
from edge_sr.backends.trt.gpu import Gpu
from edge_sr.backends.trt.session import EngineSession

BATCH, LARGEST_BATCH = 1, 2
SHAPES = {"lr": (1, 64, 64), "noise": (4, 8, 8), "sr": (1, 256, 256)}  # of one picture, as in the default bundle


class Idle:
    """Whatever is called on it or read from it is idle too; it is true, and 0 as a number."""

    handle = 1

    def __init__(self, *arguments: object) -> None: ...

    def __call__(self, *arguments: object) -> Idle:
        return self

    def __getattr__(self, name: str) -> Idle:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __int__(self) -> int:
        return 0

    def __float__(self) -> float:
        return 0.0


def _nothing(*arguments: object) -> None: ...


class _Event:
    def __init__(self, flags: int = 0) -> None: ...

    def record(self, stream: object = None) -> _Event:
        return self

    def synchronize(self) -> _Event:
        return self

    def time_since(self, start: _Event) -> float:
        return 0.0


class _Stream:
    handle = 1

    def synchronize(self) -> None: ...

    def wait_for_event(self, event: _Event) -> None: ...


class _HostMemory:
    """What stands behind a page-locked array. Noise, since the guard refuses a picture of one value."""

    def __init__(self, shape: tuple[int, ...], dtype: Any) -> None:
        self._array = np.random.default_rng(0).random(shape).astype(dtype)
        self.__array_interface__ = self._array.__array_interface__

    def get_device_pointer(self) -> int:
        return 0

    def free(self) -> None: ...


def _pycuda() -> ModuleType:
    driver = ModuleType("pycuda.driver")
    driver.__dict__.update(
        Error=type("Error", (Exception,), {}),
        MemoryError=type("MemoryError", (Exception,), {}),
        event_flags=SimpleNamespace(DEFAULT=0, DISABLE_TIMING=2),
        host_alloc_flags=SimpleNamespace(DEVICEMAP=2),
        init=_nothing,
        Device=Idle,
        Stream=_Stream,
        Event=_Event,
        mem_alloc=Idle(),
        pagelocked_empty=lambda shape, dtype, mem_flags=0: np.asarray(_HostMemory(shape, dtype)),
        memcpy_htod_async=_nothing,
        memcpy_dtoh_async=_nothing,
    )
    return driver


def _cuda_python() -> ModuleType:
    driver = ModuleType("cuda.bindings.driver")
    driver.__dict__.update(
        CUstream=int,
        CUstreamCaptureMode=SimpleNamespace(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL=1),
        **{name: lambda *arguments: (0,) for name in ("cuStreamBeginCapture", "cuGraphLaunch")},
        **{name: lambda *arguments: (0, 1) for name in ("cuStreamEndCapture", "cuGraphInstantiate")},
        **{name: lambda *arguments: (0,) for name in ("cuGraphDestroy", "cuGraphExecDestroy")},
    )
    return driver


class _Context:
    def __init__(self) -> None:
        self._batch = BATCH

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        self._batch = shape[0]
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (self._batch, *SHAPES[name])

    def infer_shapes(self) -> list[str]:
        return []

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        return True

    def execute_async_v3(self, stream_handle: int) -> bool:
        return True


class _Engine:
    num_io_tensors = len(SHAPES)

    def get_tensor_name(self, index: int) -> str:
        return list(SHAPES)[index]

    def get_tensor_mode(self, name: str) -> str:
        return "output" if name == "sr" else "input"

    def get_tensor_dtype(self, name: str) -> type:
        return np.float32

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return (-1, *SHAPES[name])

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[tuple[int, ...]]:
        return [(batch, *SHAPES[name]) for batch in (1, BATCH, LARGEST_BATCH)]

    def create_execution_context(self) -> _Context:
        return _Context()


def _tensorrt() -> ModuleType:
    library = ModuleType("tensorrt")
    library.__dict__.update(
        __version__="idle",
        ILogger=type("ILogger", (), {}),
        TensorIOMode=SimpleNamespace(INPUT="input"),
        nptype=lambda dtype: dtype,
        Runtime=lambda log: SimpleNamespace(deserialize_cuda_engine=lambda content: _Engine()),
    )
    return library


@contextmanager
def idle_session(
    artifact: Path, *, zero_copy: bool = False, graphs: bool = True, timed: bool = True
) -> Iterator[EngineSession]:
    """A session of our real code on it. artifact: any file, which is read and not looked at."""
    pycuda, bindings = _pycuda(), _cuda_python()
    modules = {
        "pycuda": SimpleNamespace(driver=pycuda),
        "pycuda.driver": pycuda,
        "cuda": SimpleNamespace(),
        "cuda.bindings": SimpleNamespace(driver=bindings),
        "cuda.bindings.driver": bindings,
    }
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(sys.modules, modules))
        stack.enter_context(mock.patch.object(cuda_driver, "load_library", Idle))
        gpu = Gpu(0, artifact)
        options = {"zero_copy": zero_copy, "graphs": graphs, "timed": timed}
        yield stack.enter_context(EngineSession(_tensorrt(), gpu, artifact, buffers=2, **options))


def run_ms(*, runs: int = 3000, warm_up: int = 300, timed: bool = True) -> list[float]:
    """What each call of ``EngineSession.run`` takes the host, from the caller's arrays to the caller's arrays."""
    random = np.random.default_rng(0)
    feeds = {name: random.random((BATCH, *SHAPES[name]), np.float32) for name in ("lr", "noise")}
    with tempfile.NamedTemporaryFile() as engine, idle_session(Path(engine.name), timed=timed) as session:
        out, taken_ms = session.run(feeds), []
        for _ in range(warm_up + runs):
            start = time.perf_counter()
            session.run(feeds, out=out)
            taken_ms.append((time.perf_counter() - start) * 1e3)
    return taken_ms[warm_up:]


if __name__ == "__main__":
    for timed in (False, True):
        p50, p90, p99 = np.percentile(run_ms(timed=timed), [50, 90, 99])
        print(f"{'with' if timed else 'without'} times, ms: p50 {p50:.4f}, p90 {p90:.4f}, p99 {p99:.4f}")
