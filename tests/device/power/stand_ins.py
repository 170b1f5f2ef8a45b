"""A clock that stands still, meters that say what a test wants, and the sysfs trees of boards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from edge_sr.device.power.conditions import Conditions
from edge_sr.device.power.meter import TOTAL, Meter, Reading
from edge_sr.device.power.recorder import Recorder


class Clock:
    """Seconds that pass only where a test lets them."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class FakeMeter:
    """Power as a function of the clock, or of energy where it counts that. An exception in ``fault`` is raised."""

    name = "fake"
    covers = "a fake"
    interval_s = 0.05
    longest_gap_s = 0.5
    counts_energy = False

    def __init__(self, value: Callable[[float], float], clock: Callable[[], float]) -> None:
        self.value, self.clock = value, clock
        self.fault: BaseException | None = None
        self.closed = False

    def read(self) -> Reading:
        if self.fault is not None:
            raise self.fault
        value = self.value(self.clock())
        return Reading({"VDD_IN": value, TOTAL: value})

    def close(self) -> None:
        self.closed = True


class SteppedRecorder(Recorder):
    """No thread: waiting moves the clock and takes the readings that fall due."""

    def __init__(self, meter: Meter | None, clock: Clock, look: Callable[[], Conditions] = Conditions) -> None:
        super().__init__(meter, look=look, power_mode=lambda: "15W", clock=clock, wait=self.pass_time)
        self._clock = clock

    def __enter__(self) -> SteppedRecorder:
        self._power_mode = self._ask_power_mode()
        self.sampler.step()
        return self

    def pass_time(self, seconds: float) -> None:
        end_s = self._clock.now_s + seconds
        while self._clock.now_s < end_s - 1e-9:
            self._clock.now_s = min(self._clock.now_s + 0.05, end_s)
            self.sampler.step()


def write_tree(root: Path, files: Mapping[str, object]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


INA = "sys/bus/i2c/drivers/ina3221"


def monitor(place: str, channels: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, object]]:
    """Files of one INA3221: by label its mV and mA."""
    for number, (label, (millivolts, milliamperes)) in enumerate(channels.items(), start=1):
        yield f"{INA}/{place}/in{number}_label", label
        yield f"{INA}/{place}/in{number}_input", millivolts
        yield f"{INA}/{place}/curr{number}_input", milliamperes
    yield f"{INA}/{place}/in7_label", "sum of shunt voltages"
    yield f"{INA}/{place}/in7_input", 9
    yield f"{INA}/{place}/curr7_input", 9


def orin_nano(root: Path) -> Path:
    """Orin Nano and NX have the same rails. 5.7 W in all."""
    rails = {"VDD_IN": (5000, 1140), "VDD_CPU_GPU_CV": (5000, 200), "VDD_SOC": (5000, 300)}
    return write_tree(root, dict(monitor("1-0040/hwmon/hwmon1", rails)))


def agx_orin(root: Path) -> Path:
    """Two monitors, channels that are not connected, and a rail fed from another. 2.4 + 0.4 + 4.0 W in all."""
    first = {"VDD_GPU_SOC": (20_000, 120), "VDD_CPU_CV": (20_000, 20), "VIN_SYS_5V0": (5000, 800)}
    second = {"NC": (0, 0), "VDDQ_VDD2_1V8AO": (1000, 300), "NC ": (0, 0)}
    files = {**dict(monitor("1-0040/hwmon/hwmon3", first)), **dict(monitor("1-0041/hwmon/hwmon4", second))}
    return write_tree(root, files)
