"""The power meter, read only while nothing is timed: reading it takes time from what is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from edge_sr.bench.energy import Work, work
from edge_sr.bench.measure import Gathered
from edge_sr.bench.schema import Energy, Power, Window
from edge_sr.device.power.find import Found, find_meter
from edge_sr.device.power.recorder import Recorder
from edge_sr.device.power.trace import Figures


class Scales:
    """Idle first, then one variant after the other. meter: its name, None where none answers.

    start_s: of the run, from which the times of the report count; on the recorder's clock.
    """

    def __init__(
        self,
        start_s: float | None = None,
        *,
        find: Callable[[], Found] = find_meter,
        recorder_of: Callable[[Found], Recorder] = lambda found: Recorder(found.meter),
    ) -> None:
        self.meter: str | None = None
        self._start_s = time.perf_counter() if start_s is None else start_s
        self._find, self._recorder_of = find, recorder_of
        self._idle: Figures | None = None
        self._samples: list[tuple[float, float]] = []

    def rest(self, seconds: float) -> None:
        """What the machine takes while nothing is open. Without a meter nobody waits."""
        found = self._find()
        if found.meter is None:
            return
        self.meter = found.meter.name
        with self._recorder_of(found) as recorder:
            self._idle = recorder.measure_idle(seconds)
            self._keep(recorder)

    def weigh(self, gathered: Mapping[str, Gathered], *, seconds: float) -> tuple[dict[str, Energy], Power | None]:
        """From array to array, each variant for its share; their times do not count. What no reading covers is not
        there.
        """
        found = self._find() if self.meter is not None else Found(None, {})
        if found.meter is None:
            return {}, None
        with self._recorder_of(found) as recorder:
            recorder.idle = self._idle
            done = {key: _work(each, recorder, seconds / len(gathered)) for key, each in gathered.items()}
            energy = {key: told for key, each in done.items() if (told := _energy(each, recorder)) is not None}
            self._keep(recorder)
        windows = tuple(Window(key, self._time(each.start_s), self._time(each.end_s)) for key, each in done.items())
        return energy, Power(found.meter.name, found.meter.covers, tuple(self._samples), windows)

    def _keep(self, recorder: Recorder) -> None:
        self._samples += [(self._time(at_s), round(watts, 3)) for at_s, watts in recorder.trace.powers_w]

    def _time(self, at_s: float) -> float:
        return round(at_s - self._start_s, 3)


def _work(gathered: Gathered, recorder: Recorder, seconds: float) -> Work:
    calls = len(gathered.array.taken_ms)
    done = work(gathered.array, recorder, seconds, settling=1)
    gathered.array.forget(len(gathered.array.taken_ms) - calls)
    return done


def _energy(done: Work, recorder: Recorder) -> Energy | None:
    if done.figures is None or recorder.meter is None:
        return None
    return Energy(
        meter=recorder.meter.name,
        covers=recorder.meter.covers,
        joules_per_picture=round(done.joules_per_picture, 6),
        power_w=round(done.figures.power_w, 4),
        idle_w=None if recorder.idle is None else round(recorder.idle.power_w, 4),
        seconds=round(done.figures.seconds, 3),
        readings=done.figures.readings,
    )
