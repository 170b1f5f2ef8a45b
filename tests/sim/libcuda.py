"""The few functions of ``libcuda.so.1`` that are called by ctypes; each gets what ``ctypes.byref`` makes."""

from __future__ import annotations

from typing import Any

from tests.sim.machine import Machine

NAME = b"Simulated GPU"
_ATTRIBUTES = {16: 8, 75: 8, 76: 7}  # multiprocessors, compute capability


class LibCuda:
    """fails: function -> the CUresult that it returns."""

    def __init__(self, machine: Machine, *, devices: int = 1, fails: dict[str, int] | None = None) -> None:
        self._machine, self._devices, self._fails = machine, devices, fails or {}
        self.calls: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("cu"):
            return super().__getattribute__(name)
        self.calls.append(name)
        result = self._fails.get(name)
        return super().__getattribute__(name) if result is None else lambda *arguments: result

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        return _give(count, self._devices)

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:  # noqa: N802
        return _give(device, ordinal)

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        return _give(version, 12060)

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: int) -> int:  # noqa: N802
        return _give(value, int(self._machine.integrated) if attribute == 18 else _ATTRIBUTES[attribute])

    def cuDeviceGetName(self, name: Any, size: int, device: int) -> int:  # noqa: N802
        name.value = NAME
        return 0

    def cuDeviceTotalMem_v2(self, total: Any, device: int) -> int:  # noqa: N802
        return _give(total, 8000 << 20)

    def cuDevicePrimaryCtxRetain(self, context: Any, device: int) -> int:  # noqa: N802
        self._machine.retained += 1
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device: int) -> int:  # noqa: N802
        self._machine.retained -= 1
        return 0

    def cuCtxPushCurrent_v2(self, context: Any) -> int:  # noqa: N802
        self._machine.contexts.append(self)
        return 0

    def cuCtxPopCurrent_v2(self, context: Any) -> int:  # noqa: N802
        if not self._machine.contexts:
            return 201  # CUDA_ERROR_INVALID_CONTEXT
        self._machine.contexts.pop()
        return 0

    def cuMemGetInfo_v2(self, free: Any, total: Any) -> int:  # noqa: N802
        _give(total, 8000 << 20)
        return _give(free, self._machine.free_mib << 20)

    def cuGetErrorString(self, error: int, text: Any) -> int:  # noqa: N802
        return _give(text, {2: b"out of memory", 100: b"no CUDA-capable device is detected"}.get(error, b"unknown"))


def _give(pointer: Any, value: Any) -> int:
    pointer._obj.value = value
    return 0
