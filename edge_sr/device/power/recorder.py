"""Power and conditions around a piece of work: idle before it, windows during it, both told in one clock."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType

from edge_sr.device.power.conditions import Conditions, read_conditions, read_power_mode, throttled
from edge_sr.device.power.meter import Meter
from edge_sr.device.power.sampler import Sampler
from edge_sr.device.power.trace import Figures, Mark, Trace, between

IDLE_S = 1.0  # enough for some 20 readings, or two of a slow source


class Recorder:
    """Reads from ``__enter__`` to ``__exit__``.

    meter: None where there is none: every figure is then None. wait: sleeps for seconds.
    """

    def __init__(
        self,
        meter: Meter | None,
        *,
        look: Callable[[], Conditions] = read_conditions,
        power_mode: Callable[[], str | None] = read_power_mode,
        clock: Callable[[], float] = time.perf_counter,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.sampler = Sampler(meter, look, clock=clock)
        self.clock = clock
        self.idle: Figures | None = None
        self._ask_power_mode, self.wait = power_mode, wait
        self._power_mode: str | None = None

    def __enter__(self) -> Recorder:
        self._power_mode = self._ask_power_mode()
        self.sampler.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sampler.stop()

    @property
    def meter(self) -> Meter | None:
        return self.sampler.meter

    @property
    def trace(self) -> Trace:
        return self.sampler.trace

    def measure_idle(self, seconds: float | None = None) -> Figures | None:
        """What the machine takes while it waits, for IDLE_S by default; kept in ``idle``. No meter, no wait."""
        if self.meter is not None:
            start_s = self.clock()
            self.wait(IDLE_S if seconds is None else seconds)
            self.idle = self.figures_since(self.trace.first_after(start_s))
        return self.idle

    def conditions(self, until_s: float = math.inf) -> Conditions:
        """As last looked at, until that moment, and with the power mode; empty where nobody had looked yet."""
        looks = [moment for at, moment in tuple(self.sampler.moments) if at <= until_s]
        newest = looks[-1] if looks else Conditions()
        return replace(newest, power_mode=newest.power_mode or self._power_mode)

    def figures_since(self, start: Mark | None) -> Figures | None:
        """From there to the newest reading."""
        newest_s = self.trace.newest_s
        return None if newest_s is None else between(start, self.trace.at(newest_s))

    def mark(self, time_s: float) -> Mark | None:
        """See ``Trace.at``."""
        return self.trace.at(time_s)

    def looked_since(self, time_s: float) -> bool:
        """Whether the conditions were looked at after that moment."""
        looks = tuple(self.sampler.moments)
        return bool(looks) and looks[-1][0] >= time_s

    def settled(self, end_s: float) -> bool:
        """Whether a reading after that moment is there, or none will come."""
        newest_s = self.trace.newest_s
        if not self.sampler.reads or (newest_s is not None and newest_s >= end_s):
            return True
        assert self.meter is not None
        return self.clock() - end_s > self.meter.longest_gap_s

    def throttling(self, start_s: float, end_s: float) -> list[str] | None:
        """Why clocks were held down in that stretch; [] where they were not, None where nothing tells.

        Conditions are looked at about once a second, so the looks before and after the stretch count as well.
        """
        looks = tuple(self.sampler.moments)
        first = max((at for at, _ in looks if at <= start_s), default=start_s)
        last = min((at for at, _ in looks if at >= end_s), default=end_s)
        return throttled([moment for at, moment in looks if first <= at <= last])
