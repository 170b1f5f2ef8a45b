from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge_sr.bench.latency import WINDOW, thinned, timed, times_of, warm_up


class Calls:
    """A clock that moves by what each call takes."""

    def __init__(self, seconds: Iterator[float]) -> None:
        self.now_s, self.count, self._seconds = 0.0, 0, seconds

    def __call__(self) -> None:
        self.count += 1
        self.now_s += next(self._seconds)

    def clock(self) -> float:
        return self.now_s


def falling(to: float) -> Iterator[float]:
    """Each window takes half of the one before, down to ``to`` seconds a call."""
    seconds = 0.016
    while True:
        yield from [seconds] * WINDOW
        seconds = max(seconds / 2, to)


def test_a_warm_up_ends_with_the_second_window_of_equal_times() -> None:
    calls = Calls(falling(to=0.002))
    found = warm_up(calls, limit_s=100, clock=calls.clock)
    assert found.stable and found.calls == calls.count == 5 * WINDOW  # 16, 8, 4, 2, 2 ms


def test_a_warm_up_that_never_settles_ends_and_says_so() -> None:
    calls = Calls(falling(to=0.0))
    found = warm_up(calls, limit_s=0.6, clock=calls.clock)
    assert not found.stable and found.seconds >= 0.6


def test_times_are_taken_for_so_long_but_for_so_many_calls_at_least_and_at_most() -> None:
    calls = Calls(iter(lambda: 0.5, None))
    assert timed(calls, seconds=2, least=1, clock=calls.clock) == [500.0] * 4
    assert len(timed(calls, seconds=0, least=7, clock=calls.clock)) == 7
    assert len(timed(calls, seconds=100, least=1, most=3, clock=calls.clock)) == 3


def test_what_happens_after_a_call_is_not_in_its_time() -> None:
    calls = Calls(iter(lambda: 0.5, None))
    assert timed(calls, seconds=0, least=2, clock=calls.clock, after=calls) == [500.0] * 2
    assert calls.count == 4


@pytest.mark.parametrize(("calls", "known"), [(99, False), (100, True)])
def test_the_99th_percentile_needs_a_hundred_calls(calls: int, known: bool) -> None:
    assert (times_of([1.0] * calls).p99_ms is not None) is known


def test_the_figures_are_those_of_the_calls() -> None:
    told = times_of([float(ms) for ms in range(101)], [{"compute": 1.0}, {"compute": 3.0, "copy_in": 7.0}])
    assert (told.p50_ms, told.p90_ms, told.p95_ms, told.p99_ms) == (50, 90, 95, 99)
    assert (told.calls, told.mean_ms, told.least_ms, told.most_ms) == (101, 50, 0, 100)
    assert told.cv == pytest.approx(29.155 / 50, rel=1e-3)
    assert told.phases_p50_ms == {"compute": 2.0, "copy_in": 7.0}


def test_samples_are_thinned_evenly_and_keep_their_order() -> None:
    assert thinned([5.0, 4.0, 3.0, 2.0, 1.0, 0.0], 3) == [5.0, 3.0, 1.0]
    assert thinned([5.0, 4.0], 3) == [5.0, 4.0]
