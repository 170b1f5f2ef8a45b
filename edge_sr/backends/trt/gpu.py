"""The primary CUDA context, which TensorRT and PyCUDA share, and the one kind of error that comes out of it."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from edge_sr.backends import cuda_driver
from edge_sr.errors import DeviceLost, EnvironmentFault


def import_pycuda() -> ModuleType:
    """``pycuda.driver``, without a context. EnvironmentFault where it is missing or was built for another CUDA."""
    try:
        import pycuda.driver
    except (ImportError, RuntimeError, OSError) as error:
        hint = "pip install --no-binary pycuda pycuda, on this machine, with its CUDA headers"
        raise EnvironmentFault(f"pycuda: {error}", hint=hint) from error
    module: ModuleType = pycuda.driver
    return module


class Gpu:
    """Keeps the primary context retained until ``release``; inside ``with gpu:`` it is current on this thread.

    Every error of PyCUDA inside the block comes out as DeviceLost that names ``where``. Blocks may be nested.
    """

    def __init__(self, number: int, where: Path) -> None:
        self.cuda: Any = import_pycuda()
        self.where, self._number = where, number
        self._thread = threading.get_ident()
        self._context: Any = None
        try:
            self.cuda.init()
            self._context = self.cuda.Device(number).retain_primary_context()
        except self.cuda.Error as error:
            raise self.lost(error) from error

    def __enter__(self) -> Gpu:
        try:
            self._context.push()
        except self.cuda.Error as error:
            raise self.lost(error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(self.cuda.Error):  # of a lost device; what was lost is told below or by the next call
            self._context.pop()
        if isinstance(error, self.cuda.Error):
            raise self.lost(error) from error

    def lost(self, reason: object) -> DeviceLost:
        """The error to raise."""
        hint = "start the program again; if it comes back: dmesg, and edge-sr doctor"
        return DeviceLost(f"the GPU failed: {reason}", where=self.where, hint=hint)

    def release(self) -> None:
        """Give the context back, on any thread; a second call does nothing."""
        context, self._context = self._context, None
        if context is None:
            return
        with contextlib.suppress(self.cuda.Error):
            context.detach()
        # pycuda 2026.1, src/cpp/cuda.hpp, context::detach: on its own thread it pushes a context that is not current,
        # releases it and expects that to pop it, which is not so for a primary one; on another it does nothing.
        if threading.get_ident() == self._thread:
            cuda_driver.pop_context()
        else:
            cuda_driver.release_primary_context(self._number)
