"""Fast and slow calls side by side: all in turn round by round, each for an equal time, the slow ones a few times."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from edge_sr.bench.latency import warm_up
from edge_sr.bench.schema import WarmUp
from edge_sr.bench.turns import Timed

ROUNDS, TURN_S, SLOW_CALLS = 9, 1.0, 3
MOST_A_TURN = 100  # calls
WARM_UP_S = 5.0
WINDOW = 5  # calls in a window of the warm-up

Failed = Callable[[str, Exception], None]
"""Told the name of what failed, and how."""


@dataclass(frozen=True)
class Entrant:
    """One kind of call, warmed up. first_ms: of its first call; usual_ms: of its last, by which its turns are cut."""

    name: str
    call: Timed
    first_ms: float
    usual_ms: float
    warm: WarmUp


def warmed(name: str, call: Timed, *, turn_s: float = TURN_S, limit_s: float = WARM_UP_S) -> Entrant:
    """One call where it takes longer than a turn, else calls until they take the same time, for limit_s at most."""
    start_s = time.perf_counter()
    call()
    warm = WarmUp(1, time.perf_counter() - start_s, False)
    first_ms = call.taken_ms[0]
    if first_ms <= turn_s * 1e3:
        warm = warm_up(call, limit_s=limit_s, window=WINDOW)
    usual_ms = call.taken_ms[-1]
    call.forget()
    return Entrant(name, call, first_ms, usual_ms, warm)


def in_rounds(
    entrants: Sequence[Entrant],
    *,
    failed: Failed,
    rounds: int = ROUNDS,
    turn_s: float = TURN_S,
    slow_calls: int = SLOW_CALLS,
) -> None:
    """Time them in turn; every round begins with another one. One that raises is left out from then on.

    A call longer than a turn is slow: it takes part in ``slow_calls`` rounds, once each. Any other fills its turn, and
    the first call of a turn does not count: those before it have left their own data in the caches.
    """
    out: set[str] = set()
    for number in range(rounds):
        first = number % max(1, len(entrants))
        for entrant in (*entrants[first:], *entrants[:first]):
            if entrant.name in out:
                continue
            try:
                if entrant.usual_ms <= turn_s * 1e3:
                    _turn(entrant.call, turn_s)
                elif number in slow_rounds(rounds, slow_calls):
                    entrant.call()
            except Exception as error:  # of others: out of memory, a kernel that is missing
                out.add(entrant.name)
                failed(entrant.name, error)


def slow_rounds(rounds: int, slow_calls: int) -> set[int]:
    """Spread evenly over all rounds."""
    calls = min(slow_calls, rounds)
    return {number * rounds // calls for number in range(calls)}


def _turn(call: Timed, turn_s: float) -> None:
    call()
    call.forget(1)
    end_s, counted = time.perf_counter() + turn_s, 0
    while counted == 0 or (counted < MOST_A_TURN and time.perf_counter() < end_s):
        call()
        counted += 1
