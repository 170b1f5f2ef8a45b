"""Power and conditions around a piece of work: idle before it, windows during it, both told in one clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
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
        self._ask_power_mode, self._wait = power_mode, wait
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

    @property
    def power_mode(self) -> str | None:
        """The board's power mode when the recording began, or as the meter tells it since."""
        with suppress(IndexError):
            return self.sampler.moments[-1][1].power_mode or self._power_mode
        return self._power_mode

    def measure_idle(self, seconds: float = IDLE_S) -> Figures | None:
        """What the machine takes while it waits; kept in ``idle``. Without a meter it does not wait."""
        if self.meter is not None:
            start_s = self.clock()
            self._wait(seconds)
            self.idle = self.newest_figures(start_s)
        return self.idle

    def newest_figures(self, start_s: float) -> Figures | None:
        """From that moment, or the first reading after it, up to the newest reading."""
        newest_s = self.trace.newest_s
        return None if newest_s is None else between(self.trace.first_after(start_s), self.trace.at(newest_s))

    def mark(self, time_s: float) -> Mark | None:
        """See ``Trace.at``."""
        return self.trace.at(time_s)

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
