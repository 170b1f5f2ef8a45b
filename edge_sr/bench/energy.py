"""What a picture costs in joules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edge_sr.device.power.recorder import Recorder
from edge_sr.device.power.trace import Figures, between

LEAST_READINGS = 5  # inside the window; fewer say little about it
SETTLING = 50  # calls before the window begins


@dataclass(frozen=True)
class Work:
    """Picture after picture, from when to when on the recorder's clock. figures: None where no reading came in time."""

    pictures: int
    start_s: float
    end_s: float
    figures: Figures | None

    @property
    def joules_per_picture(self) -> float:
        assert self.figures is not None, "no reading came in time"
        return self.figures.energy_j / self.pictures


def work(call: Callable[[], object], recorder: Recorder, seconds: float, *, settling: int = SETTLING) -> Work:
    """Call for so many seconds, at least once, and wait for the reading that ends the window."""
    for _ in range(settling):
        call()
    pictures, start_s = 0, recorder.clock()
    while pictures == 0 or recorder.clock() < start_s + seconds:
        call()
        pictures += 1
    end_s = recorder.clock()
    while not recorder.settled(end_s):
        recorder.wait(0.02)
    return Work(pictures, start_s, end_s, between(recorder.mark(start_s), recorder.mark(end_s)))
