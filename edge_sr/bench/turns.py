"""Calls in turn, A B C A B C, so that whatever else the machine does falls on all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from edge_sr.bench.latency import MOST_CALLS, Clock
from edge_sr.timing import Phases

LEAST_A_TURN = 3  # calls that count


class Timed:
    """One kind of call, and how long each took. work: adds its phases to what it is given."""

    def __init__(self, work: Callable[[Phases], object]) -> None:
        self.taken_ms: list[float] = []
        self.phases: list[dict[str, float]] = []
        self._work = work

    def __call__(self) -> None:
        phases = Phases()
        start_s = time.perf_counter()
        self._work(phases)
        self.taken_ms.append((time.perf_counter() - start_s) * 1e3)
        self.phases.append(phases.ms)

    def forget(self, calls: int | None = None) -> None:
        """The last so many calls, or all."""
        kept = 0 if calls is None else max(0, len(self.taken_ms) - calls)
        del self.taken_ms[kept:], self.phases[kept:]


def in_turns(
    calls: Sequence[Timed],
    *,
    seconds: float,
    rounds: int,
    least: int = LEAST_A_TURN,
    clock: Clock = time.perf_counter,
) -> None:
    """Each of them in every round, for an equal share of the seconds; every round begins with another one.

    The first call of a turn does not count: the calls before it have left their own data in the caches. A turn rather
    than a call at a time: what is asked for is the time of one variant that works alone.
    """
    if not calls:
        return
    share_s = seconds / rounds / len(calls)
    for number in range(rounds):
        first = number % len(calls)
        for call in (*calls[first:], *calls[:first]):
            call()
            call.forget(1)
            _turn(call, share_s, least, max(least, MOST_CALLS // rounds), clock)


def _turn(call: Timed, share_s: float, least: int, most: int, clock: Clock) -> None:
    end_s, counted = clock() + share_s, 0
    while counted < least or (counted < most and clock() < end_s):
        call()
        counted += 1
