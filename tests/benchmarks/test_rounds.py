"""Who is called how often, and what happens to one that fails; no test asserts a time."""

from __future__ import annotations

import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks import rounds as turns
from edge_sr.bench.schema import WarmUp
from edge_sr.bench.turns import Timed

WARM = WarmUp(1, 0.0, False)


def entrant(name: str, calls: list[str], usual_ms: float) -> turns.Entrant:
    return turns.Entrant(name, Timed(lambda phases: calls.append(name)), 0.0, usual_ms, WARM)


def never(name: str, error: Exception) -> None:
    raise error


def test_what_is_longer_than_a_turn_is_called_a_few_times() -> None:
    calls: list[str] = []
    slow, fast = entrant("slow", calls, 5000), entrant("fast", calls, 1)
    turns.in_rounds([slow, fast], failed=never, rounds=6, turn_s=0.001, slow_calls=3)
    assert (len(slow.call.taken_ms), calls.count("slow")) == (3, 3)
    assert len(fast.call.taken_ms) == calls.count("fast") - 6  # the first of each turn does not count
    assert len(fast.call.taken_ms) >= 6


def test_every_round_begins_with_another_one() -> None:
    calls: list[str] = []
    slow = [entrant(name, calls, 5000) for name in "abc"]
    turns.in_rounds(slow, failed=never, rounds=3, turn_s=0.001, slow_calls=3)
    assert "".join(calls) == "abcbcacab"


def test_slow_rounds_are_spread() -> None:
    assert turns.slow_rounds(9, 3) == {0, 3, 6}
    assert turns.slow_rounds(2, 3) == {0, 1}


def test_one_that_fails_is_left_out_and_the_rest_goes_on() -> None:
    calls: list[str] = []
    told: list[tuple[str, str]] = []

    def fail(phases: object) -> None:
        raise MemoryError("no more")

    broken = turns.Entrant("broken", Timed(fail), 0.0, 5000, WARM)
    turns.in_rounds(
        [broken, entrant("other", calls, 5000)],
        failed=lambda name, error: told.append((name, str(error))),
        rounds=3,
        slow_calls=3,
    )
    assert told == [("broken", "no more")]
    assert calls == ["other"] * 3


def test_a_slow_call_warms_up_once_and_a_fast_one_often() -> None:
    calls: list[str] = []
    slow = turns.warmed("slow", Timed(lambda phases: calls.append("slow")), turn_s=0)
    fast = turns.warmed("fast", Timed(lambda phases: calls.append("fast")), turn_s=1, limit_s=0.02)
    assert (calls.count("slow"), slow.warm.calls) == (1, 1)
    assert calls.count("fast") == 1 + fast.warm.calls > turns.WINDOW
    assert slow.call.taken_ms == fast.call.taken_ms == []
