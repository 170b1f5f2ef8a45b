"""Against a stand-in for libnvidia-ml; the numbers are those of NVML's own units."""

from __future__ import annotations

from typing import Any

import pytest

from edge_sr.device.power import nvml
from edge_sr.device.power.meter import MeterFault
from edge_sr.device.power.nvml import Nvml

NOT_SUPPORTED = 3


class Library:
    """Two GPUs: 250 and 100 W, and where ``counts`` also 5,000 and 1,000 J."""

    def __init__(self, *, counts: bool = True, gpus: int = 2) -> None:
        self.counts, self.gpus, self.shut, self.lost = counts, gpus, False, False
        self.reasons = [0x4 | 0x1, 0]

    def _tell(self, out: Any, value: int) -> int:
        out._obj.value = value
        return 15 if self.lost else 0  # NVML_ERROR_GPU_IS_LOST

    def nvmlInit_v2(self) -> int:  # noqa: N802
        return 0

    def nvmlShutdown(self) -> int:  # noqa: N802
        self.shut = True
        return 0

    def nvmlDeviceGetCount_v2(self, out: Any) -> int:  # noqa: N802
        return self._tell(out, self.gpus)

    def nvmlDeviceGetHandleByIndex_v2(self, number: Any, out: Any) -> int:  # noqa: N802
        return self._tell(out, number.value + 1)

    def nvmlDeviceGetPowerUsage(self, gpu: Any, out: Any) -> int:  # noqa: N802
        return self._tell(out, {1: 250_000, 2: 100_000}[gpu.value])

    def nvmlDeviceGetTotalEnergyConsumption(self, gpu: Any, out: Any) -> int:  # noqa: N802
        return self._tell(out, {1: 5_000_000, 2: 1_000_000}[gpu.value]) if self.counts else NOT_SUPPORTED

    def nvmlDeviceGetTemperature(self, gpu: Any, sensor: Any, out: Any) -> int:  # noqa: N802
        return self._tell(out, 60)

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, gpu: Any, out: Any) -> int:  # noqa: N802
        return self._tell(out, self.reasons[gpu.value - 1])


def test_energy_counters_are_read_where_there_are_any() -> None:
    meter = Nvml(Library())
    assert meter.counts_energy
    assert meter.read().values == {"gpu0": 5000.0, "gpu1": 1000.0, "total": 6000.0}


def test_older_gpus_tell_power() -> None:
    meter = Nvml(Library(counts=False))
    assert not meter.counts_energy
    assert meter.read().values == {"gpu0": 250.0, "gpu1": 100.0, "total": 350.0}


def test_heat_and_throttling_are_told_and_idling_is_no_throttling() -> None:
    reading = Nvml(Library()).read()
    assert reading.temperatures_c == {"gpu0": 60.0, "gpu1": 60.0}
    assert reading.throttling == ("gpu0 power cap",)
    assert reading.clocks_mhz == {}  # this library has no such function


def test_no_gpu_is_no_meter_and_the_library_is_let_go() -> None:
    library = Library(gpus=0)
    with pytest.raises(MeterFault, match="no GPU"):
        Nvml(library)
    assert library.shut


def test_a_gpu_that_falls_off_the_bus_is_a_fault() -> None:
    library = Library()
    meter = Nvml(library)
    library.lost = True
    with pytest.raises(MeterFault, match="answers 15"):
        meter.read()


def test_a_machine_without_a_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvml, "LIBRARY", "libno-such-library.so.1")
    with pytest.raises(MeterFault, match="no NVIDIA driver"):
        Nvml()
