"""How long one picture takes, row by row, with no other session open."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from edge_sr.backends.base import Backend
from host_training.evaluation.pictures import Sample
from host_training.evaluation.rows import Row

WARM_UP = 2  # the first call opens the sessions, the second fills the allocator
CALLS = 15
FEWEST_CALLS = 3
BUDGET_S = 4.0  # no further call after this; a chain of 300 steps takes seconds


@dataclass(frozen=True)
class Timing:
    """Of ``calls`` calls in a row, after the warm-up."""

    median: float  # milliseconds
    calls: int

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "median": round(self.median, 3)}


def time_rows(rows: Iterable[Row], sample: Sample, backend: Backend) -> dict[str, Timing]:
    """By row, those that somebody would run for the picture: from LR in memory to 8 bit in memory."""
    timings = {}
    for row in rows:
        if row.timed and row.opening is not None:
            with row.opening(backend) as produce:
                timings[row.key] = timed(lambda: produce(sample))
    return timings


def timed(call: Callable[[], object]) -> Timing:
    """Between ``FEWEST_CALLS`` and ``CALLS`` calls, as many as the budget allows."""
    for _ in range(WARM_UP):
        call()
    taken_ms: list[float] = []
    while len(taken_ms) < FEWEST_CALLS or (len(taken_ms) < CALLS and sum(taken_ms) < BUDGET_S * 1e3):
        start = time.perf_counter()
        call()
        taken_ms.append((time.perf_counter() - start) * 1e3)
    return Timing(median(taken_ms), len(taken_ms))


def timing_conditions() -> dict[str, Any]:
    """What the times depend on beside processor and threads. load_average: of the last minute, before measuring."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return {
        "statistic": "median",
        "warm_up": WARM_UP,
        "calls": CALLS,
        "sessions": "one at a time",
        "load_average": load,
        "what": "LR in memory to 8-bit picture in memory",
    }
