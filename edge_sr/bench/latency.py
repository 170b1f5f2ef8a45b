"""How long a call takes: until it has settled, then many times."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from edge_sr.bench.schema import MOST_SAMPLES, Times, WarmUp

WINDOW = 20  # calls whose median is compared with that of the window before
STABLE = 0.02  # the medians of two windows differ by less
WARM_UP_S = 20.0  # at most: a board whose clocks wander never gets stable
LEAST_CALLS, MOST_CALLS = 30, 20_000
LEAST_FOR_P99 = 100

Clock = Callable[[], float]
Call = Callable[[], object]


def warm_up(
    call: Call, *, limit_s: float = WARM_UP_S, window: int = WINDOW, clock: Clock = time.perf_counter
) -> WarmUp:
    """Call until the medians of two windows in a row lie within STABLE of each other, for limit_s at most."""
    start_s, calls, before = clock(), 0, float("inf")
    while clock() - start_s < limit_s:
        median = float(np.median(timed(call, seconds=0, least=window, clock=clock)))
        calls += window
        if abs(median - before) <= STABLE * median:
            return WarmUp(calls, clock() - start_s, True)
        before = median
    return WarmUp(calls, clock() - start_s, False)


def timed(
    call: Call,
    *,
    seconds: float,
    least: int = LEAST_CALLS,
    most: int = MOST_CALLS,
    clock: Clock = time.perf_counter,
    after: Call = lambda: None,
) -> list[float]:
    """Milliseconds of each call, for so many seconds, at least and at most so many. after: each call, not timed."""
    taken_ms: list[float] = []
    end_s = clock() + seconds
    while len(taken_ms) < least or (len(taken_ms) < most and clock() < end_s):
        start_s = clock()
        call()
        taken_ms.append((clock() - start_s) * 1e3)
        after()
    return taken_ms


def times_of(taken_ms: Sequence[float], phases: Sequence[Mapping[str, float]] = ()) -> Times:
    """phases: of each call, in milliseconds. p99_ms is None below LEAST_FOR_P99 calls, where it would be the slowest
    call under another name.
    """
    p50, p90, p95, p99 = (round(float(each), 4) for each in np.percentile(taken_ms, (50, 90, 95, 99)))
    mean, spread = float(np.mean(taken_ms)), float(np.std(taken_ms))
    return Times(
        calls=len(taken_ms),
        p50_ms=p50,
        p90_ms=p90,
        p95_ms=p95,
        p99_ms=p99 if len(taken_ms) >= LEAST_FOR_P99 else None,
        mean_ms=round(mean, 4),
        cv=round(spread / mean, 4) if mean else 0.0,
        least_ms=round(min(taken_ms), 4),
        most_ms=round(max(taken_ms), 4),
        phases_p50_ms=medians(phases),
        samples_ms=tuple(round(ms, 4) for ms in thinned(taken_ms, MOST_SAMPLES)),
    )


def medians(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """By part of a call, over the calls that had it; {} where the session takes no times."""
    names = dict.fromkeys(name for each in parts for name in each)
    return {name: round(float(np.median([each[name] for each in parts if name in each])), 4) for name in names}


def thinned(values: Sequence[float], most: int) -> list[float]:
    """At most so many of them, spread evenly, in their order."""
    count = min(most, len(values))
    return [values[number * len(values) // count] for number in range(count)]
