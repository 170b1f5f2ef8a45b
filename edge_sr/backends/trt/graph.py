"""CUDA graphs by cuda-python: the launches of one enqueue, recorded once and replayed by one call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import ModuleType
from typing import Any


class CaptureFailed(Exception):
    """There is no graph of this; the plain enqueue still works."""


def import_cuda_python() -> ModuleType | None:
    """The driver's functions; None where cuda-python is not installed or does not fit the driver."""
    try:
        from cuda.bindings import driver
    except (ImportError, RuntimeError, OSError):
        return None
    module: ModuleType = driver
    return module


class Graph:
    """What ``enqueue`` puts on the stream. It holds for the addresses and shapes of the capture alone."""

    def __init__(self, driver: ModuleType, stream: int, enqueue: Callable[[], None]) -> None:
        """stream: its handle. Raises CaptureFailed; enqueue must have run once before, outside of a capture."""
        self._driver, self._stream = driver, driver.CUstream(stream)
        self._graph, self._executable = None, None
        # Thread-local: what other threads do meanwhile neither enters the graph nor spoils it.
        mode = driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL
        self._call("cuStreamBeginCapture", self._stream, mode)
        try:
            try:
                enqueue()
            finally:  # a stream that is left in capture takes no other work
                self._graph = self._call("cuStreamEndCapture", self._stream)
            self._executable = self._call("cuGraphInstantiate", self._graph, 0)
        except BaseException:
            self.close()
            raise

    def launch(self) -> str:
        """Replay it on its stream; "" or what CUDA has against it."""
        result = self._driver.cuGraphLaunch(self._executable, self._stream)[0]
        return "" if int(result) == 0 else f"cuGraphLaunch: {result.name}"

    def close(self) -> None:
        """A second call does nothing. What it launched must be over."""
        if self._executable is not None:
            executable, self._executable = self._executable, None
            with contextlib.suppress(CaptureFailed):
                self._call("cuGraphExecDestroy", executable)
        if self._graph is not None:
            graph, self._graph = self._graph, None
            with contextlib.suppress(CaptureFailed):
                self._call("cuGraphDestroy", graph)

    def _call(self, function: str, *arguments: Any) -> Any:
        """What it returns beside the CUresult."""
        result, *values = getattr(self._driver, function)(*arguments)
        if int(result) != 0:
            raise CaptureFailed(f"{function}: {result.name}")
        return values[0] if values else None
