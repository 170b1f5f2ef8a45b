"""TensorRT's Python package, imported late, and a log that keeps what it says."""

from __future__ import annotations

from collections import deque
from types import ModuleType
from typing import Any

from edge_sr.errors import EnvironmentFault

_KEPT = 50  # messages; a session may live for months


def import_tensorrt() -> ModuleType:
    """EnvironmentFault where it is not installed or its libraries do not load.

    Ask ``cuda_driver.probe`` first: without a driver TensorRT's objects crash the process.
    """
    try:
        import tensorrt
    except (ImportError, OSError) as error:
        hint = "on a Jetson: sudo apt install python3-libnvinfer, and a venv with --system-site-packages"
        raise EnvironmentFault(f"tensorrt: {error}", hint=hint) from error
    module: ModuleType = tensorrt
    return module


def is_simulated(trt: ModuleType) -> bool:
    """Whether it is the tests' stand-in, whose times and engines mean nothing on a device."""
    return bool(getattr(trt, "__simulated__", False))


class Messages:
    """Errors and warnings, the last of them."""

    def __init__(self) -> None:
        self.errors: deque[str] = deque(maxlen=_KEPT)
        self.warnings: deque[str] = deque(maxlen=_KEPT)

    @property
    def reason(self) -> str:
        return self.errors[-1] if self.errors else "it does not say why"


def make_log(trt: ModuleType, messages: Messages) -> Any:
    """A trt.ILogger that fills ``messages`` and prints nothing; keep it while any of its objects lives."""

    class Log(trt.ILogger):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            trt.ILogger.__init__(self)

        def log(self, severity: trt.ILogger.Severity, msg: str) -> None:  # type: ignore[name-defined]
            if severity in (trt.ILogger.INTERNAL_ERROR, trt.ILogger.ERROR):
                messages.errors.append(msg.strip())
            elif severity == trt.ILogger.WARNING and msg.strip() not in messages.warnings:
                messages.warnings.append(msg.strip())

    return Log()
