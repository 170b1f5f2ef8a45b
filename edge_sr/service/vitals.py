"""Temperature, power and throttling of the machine, looked at now and then by a thread of their own: a sensor may hang,
and the loop must not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from edge_sr.device.power.conditions import Conditions, read_conditions, read_power_mode, throttled
from edge_sr.device.power.find import find_meter
from edge_sr.device.power.ina3221 import Ina3221
from edge_sr.device.power.meter import TOTAL, Meter, MeterFault, Reading
from edge_sr.device.power.nvml import Nvml
from edge_sr.device.power.rapl import Rapl

EVERY_S = 15.0
# Those that cost next to nothing while the service is idle: jtop and tegrastats are processes beside us.
METERS: Mapping[str, Callable[[], Meter]] = {"ina3221": Ina3221, "nvml": Nvml, "rapl": Rapl}


@dataclass(frozen=True)
class VitalSigns:
    """power_w: None where no meter tells; of a meter that counts energy, the mean since the look before.

    throttling: since the look before; [] for none, None where nothing tells.
    """

    temperatures_c: Mapping[str, float] = field(default_factory=dict)
    power_w: float | None = None
    meter: str | None = None
    power_mode: str | None = None
    throttling: tuple[str, ...] | None = None

    def to_json(self) -> dict[str, object]:
        return {
            "temperatures_c": {name: round(value, 1) for name, value in self.temperatures_c.items()},
            "power_w": None if self.power_w is None else round(self.power_w, 2),
            "meter": self.meter,
            "power_mode": self.power_mode,
            "throttling": None if self.throttling is None else list(self.throttling),
        }


class Vitals:
    """Looks while it is entered; ``now`` is what was seen last."""

    def __init__(
        self,
        *,
        look: Callable[[], Conditions] = read_conditions,
        open_meter: Callable[[], Meter | None] = lambda: find_meter(meters=METERS).meter,
        power_mode: Callable[[], str | None] = read_power_mode,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.now = VitalSigns()
        self._look, self._open_meter, self._power_mode = look, open_meter, power_mode
        self._every_s, self._clock = every_s, clock
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="vitals", daemon=True)

    def __enter__(self) -> Vitals:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()  # a sensor that hangs is not waited for

    def _work(self) -> None:
        meter, mode = self._open_meter(), self._power_mode()
        moments: list[Conditions] = []
        counted: tuple[float, float] | None = None  # when, and joules
        while not self._over.is_set():
            moment, power_w = self._look(), None
            reading = _read(meter)
            if reading is not None and meter is not None:
                moment = moment.with_reading(reading)
                total, at = reading.values[TOTAL], self._clock()
                power_w = total if not meter.counts_energy else _mean_w(counted, (at, total))
                counted = (at, total)
            moments = [*moments[-1:], moment]
            reasons = throttled(moments)
            self.now = VitalSigns(
                moment.temperatures_c,
                power_w,
                None if meter is None else meter.name,
                moment.power_mode or mode,
                None if reasons is None else tuple(reasons),
            )
            self._over.wait(self._every_s)
        if meter is not None:
            meter.close()


def _read(meter: Meter | None) -> Reading | None:
    if meter is None:
        return None
    try:
        return meter.read()
    except MeterFault:
        return None


def _mean_w(before: tuple[float, float] | None, after: tuple[float, float]) -> float | None:
    if before is None or after[0] <= before[0]:
        return None
    return (after[1] - before[1]) / (after[0] - before[0])
