"""Where the time of one picture goes, phase by phase; and which of several calls is the faster."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

# Of one picture, in this order. queue: what the model's time has beside copies and computation, such as waiting for a
# free buffer; finish: from the model's numbers to pixels, with blending and projection.
PHASES = ("decode", "prepare", "queue", "copy_in", "compute", "copy_out", "finish", "encode", "write")


class Phases:
    """Milliseconds by phase, in the order in which the phases first began.

    >>> phases = Phases()
    >>> with phases("decode"):
    ...     pass
    >>> list(phases.ms)
    ['decode']
    """

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    def __call__(self, name: str) -> Phase:
        """Add the time spent inside the block to phase ``name``."""
        return Phase(self, name)

    def add(self, name: str, ms: float) -> None:
        self.ms[name] = self.ms.get(name, 0.0) + ms

    def add_call(self, ms: float, parts: Mapping[str, float]) -> None:
        """A call of a model: its parts by phase, and as queue what none of them explains. Without parts: compute."""
        if not parts:
            self.add("compute", ms)
            return
        self.add("queue", max(0.0, ms - sum(parts.values())))
        for name in ("copy_in", "compute", "copy_out"):
            if name in parts:
                self.add(name, parts[name])

    @property
    def total_ms(self) -> float:
        return sum(self.ms.values())


class Phase:
    """One block of a phase. Not a generator: around a picture of one tile stand ten of these."""

    def __init__(self, phases: Phases, name: str) -> None:
        self._phases, self._name = phases, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *exc: object) -> None:
        self._phases.add(self._name, (time.perf_counter() - self._start) * 1e3)


def side_by_side(calls: Mapping[str, Callable[[], object]], *, rounds: int = 30, warmup: int = 5) -> dict[str, float]:
    """The median milliseconds of each call, taken in turn, so that whatever else the machine does falls on all alike.

    rounds: those that count, after ``warmup`` others.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(warmup + rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if number >= warmup:
                taken[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(times) for name, times in taken.items()}
