"""A folder worked through while the page looks on: how many are done, how fast, at how many watts."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sr.demo.declined import Declined
from edge_sr.device.power.recorder import Recorder
from edge_sr.device.power.trace import between

KEPT = 20_000  # ends of pictures that are remembered
HISTORY_S, BIN_S = 60.0, 0.5  # of the strip
RECENT_S = 3.0  # what "now" means


@dataclass(frozen=True)
class FolderPlan:
    """What a start has to do. jobs: (source, target). left_out: what cannot be done or is done already."""

    jobs: Sequence[tuple[Path, Path]]
    left_out: int = 0


class FolderRun:
    """Counts and times of the run that is on or was last. plan: makes the list anew; UsageError where there is none.

    Names of files do not get out of here.
    """

    def __init__(
        self,
        plan: Callable[[], FolderPlan],
        recorder: Recorder | None = None,
        *,
        overwrite: bool = False,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._plan, self._recorder, self._clock = plan, recorder, clock
        self.overwrite = overwrite
        self._jobs: deque[tuple[Path, Path]] = deque()
        self._ends: deque[float] = deque(maxlen=KEPT)
        self.state = "ready"  # running, done, stopped, or the reason why it ended early
        self.total = self.done = self.failed = self.left_out = 0
        self._start_s = self._end_s = 0.0

    def start(self) -> None:
        """Declined where a run is on."""
        if self.state == "running":
            raise Declined(409, "the folder is being worked through already", code="running")
        plan = self._plan()
        self._jobs = deque(plan.jobs)
        self._ends.clear()
        self.total, self.left_out, self.done, self.failed = len(plan.jobs), plan.left_out, 0, 0
        self._start_s = self._end_s = self._clock()
        self.state = "running" if plan.jobs else "done"

    def next(self) -> tuple[Path, Path] | None:
        """The next job; None at the end."""
        if self.state == "running" and not self._jobs:
            self.state = "done"
        return self._jobs.popleft() if self.state == "running" else None

    def ended(self, *, well: bool) -> None:
        """A job has come to its end."""
        self._end_s = self._clock()
        self._ends.append(self._end_s)
        self.done, self.failed = self.done + well, self.failed + (not well)

    def stop(self, state: str = "stopped") -> None:
        if self.state == "running":
            self._jobs.clear()
            self.state = state

    def to_json(self) -> dict[str, object]:
        now_s = self._clock()
        until_s = now_s if self.state == "running" else self._end_s
        seconds = max(until_s - self._start_s, 1e-9)
        count = self.done + self.failed
        joules = self._joules()
        return {
            "state": self.state,
            "total": self.total,
            "done": self.done,
            "failed": self.failed,
            "left_out": self.left_out,
            "seconds": round(seconds, 2),
            "pictures_per_s": round(count / seconds, 2) if count else None,
            "now_per_s": round(self._since(now_s - RECENT_S) / min(RECENT_S, seconds), 2) if count else None,
            "joules_per_picture": None if joules is None or not count else round(joules / count, 3),
            "bin_s": BIN_S,
            "rates": self._rates(now_s),
            "watts": self._watts(now_s),
        }

    def _since(self, time_s: float) -> int:
        return sum(end_s >= time_s for end_s in self._ends)

    def _rates(self, now_s: float) -> list[float]:
        """Pictures per second, bin by bin, of HISTORY_S up to now."""
        rates = [0.0] * round(HISTORY_S / BIN_S)
        for end_s in self._ends:
            place = len(rates) - 1 - int((now_s - end_s) / BIN_S)
            if 0 <= place < len(rates):
                rates[place] += 1 / BIN_S
        return rates

    def _watts(self, now_s: float) -> list[float | None] | None:
        """The same of the mean power; None where there is no meter."""
        if self._recorder is None or self._recorder.meter is None:
            return None
        bins: list[list[float]] = [[] for _ in range(round(HISTORY_S / BIN_S))]
        for at_s, watts in self._recorder.trace.powers_w:
            place = len(bins) - 1 - int((now_s - at_s) / BIN_S)
            if 0 <= place < len(bins):
                bins[place].append(watts)
        return [round(sum(each) / len(each), 3) if each else None for each in bins]

    def _joules(self) -> float | None:
        if self._recorder is None or self._recorder.meter is None or not self._ends:
            return None
        return energy(self._recorder, self._start_s, self._end_s).get("energy_j")


def energy(recorder: Recorder, start_s: float, end_s: float) -> Mapping[str, float]:
    """energy_j, power_w and readings of a stretch of time; empty where the readings do not cover it (yet)."""
    figures = between(recorder.mark(start_s), recorder.mark(end_s))
    return (
        {}
        if figures is None
        else {"energy_j": figures.energy_j, "power_w": figures.power_w, "readings": figures.readings}
    )
