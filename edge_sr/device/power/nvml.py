"""NVML: discrete NVIDIA GPUs, asked by ctypes. Half a dozen functions do not make a package worth depending on."""

from __future__ import annotations

import ctypes
from typing import Any

from edge_sr.device.power.meter import TOTAL, MeterFault, Reading

LIBRARY = "libnvidia-ml.so.1"  # comes with the driver
_GPU_SENSOR, _GRAPHICS_CLOCK = 0, 0
# nvmlClocksEventReasons: https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
_REASONS = {
    0x04: "power cap",
    0x08: "hardware slowdown",
    0x20: "software thermal slowdown",
    0x40: "hardware thermal slowdown",
    0x80: "hardware power brake",
}


class Nvml:
    """All GPUs, one rail each. Where they count their energy (from Volta on) that is read: power is smoothed over 1 s.

    library: what ctypes loaded; a stand-in in tests.
    """

    name = "nvml"
    interval_s = 0.1  # about how often the counters are brought up to date
    longest_gap_s = 1.0

    def __init__(self, library: Any = None) -> None:
        self._nvml = _load() if library is None else library
        self._ask("nvmlInit_v2")
        try:
            self._gpus = [self._gpu(number) for number in range(self._number(ctypes.c_uint, "nvmlDeviceGetCount_v2"))]
            if not self._gpus:
                raise MeterFault("no GPU", where="nvml")
            self.counts_energy = self._has_counters()
            self.covers = "the GPU, without the processor" if len(self._gpus) == 1 else f"all {len(self._gpus)} GPUs"
            self.read()
        except MeterFault:
            self.close()
            raise

    def read(self) -> Reading:
        values = {f"gpu{number}": self._power(gpu) for number, gpu in enumerate(self._gpus)}
        return Reading(
            {**values, TOTAL: sum(values.values())},
            temperatures_c=self._told(ctypes.c_uint, "nvmlDeviceGetTemperature", _GPU_SENSOR),
            clocks_mhz=self._told(ctypes.c_uint, "nvmlDeviceGetClockInfo", _GRAPHICS_CLOCK),
            throttling=self._throttling(),
        )

    def close(self) -> None:
        self._nvml.nvmlShutdown()

    def _gpu(self, number: int) -> ctypes.c_void_p:
        handle = ctypes.c_void_p()
        self._ask("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(number), ctypes.byref(handle))
        return handle

    def _power(self, gpu: ctypes.c_void_p) -> float:
        """Joules since the driver was loaded, or watts; both are told in thousandths."""
        if self.counts_energy:
            return self._number(ctypes.c_ulonglong, "nvmlDeviceGetTotalEnergyConsumption", gpu) / 1e3
        return self._number(ctypes.c_uint, "nvmlDeviceGetPowerUsage", gpu) / 1e3

    def _has_counters(self) -> bool:
        try:
            return all(self._number(ctypes.c_ulonglong, "nvmlDeviceGetTotalEnergyConsumption", g) for g in self._gpus)
        except MeterFault:
            return False

    def _throttling(self) -> tuple[str, ...] | None:
        told = self._told(ctypes.c_ulonglong, "nvmlDeviceGetCurrentClocksThrottleReasons")
        if not told:
            return None
        return tuple(f"{gpu} {why}" for gpu, bits in told.items() for bit, why in _REASONS.items() if int(bits) & bit)

    def _told(self, kind: Any, function: str, *words: int) -> dict[str, float]:
        """By GPU; without those that do not tell."""
        found = {}
        for number, gpu in enumerate(self._gpus):
            try:
                found[f"gpu{number}"] = float(self._number(kind, function, gpu, *map(ctypes.c_uint, words)))
            except MeterFault:
                continue
        return found

    def _number(self, kind: Any, function: str, *words: Any) -> int:
        value = kind()
        self._ask(function, *words, ctypes.byref(value))
        return value.value

    def _ask(self, function: str, *words: Any) -> None:
        call = getattr(self._nvml, function, None)  # an old driver lacks the younger ones
        code = 13 if call is None else call(*words)  # NVML_ERROR_FUNCTION_NOT_FOUND
        if code != 0:
            raise MeterFault(f"{function} answers {code}", where="nvml", hint="nvidia-smi")


def _load() -> Any:
    try:
        return ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise MeterFault(f"no NVIDIA driver: {error}") from error
