from __future__ import annotations

from pathlib import Path

from edge_sr.service.claims import Claim
from edge_sr.service.retries import DiskSpace, Retries
from tests.service.spools import new_spool


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def claims(*names: str) -> list[Claim]:
    return [Claim(name * 32, name) for name in names]


def test_the_pauses_grow_and_then_stay() -> None:
    (held,) = claims("a")
    retries = Retries(Clock())
    assert [retries.failed(held) for _ in range(7)] == [1, 5, 30, 120, 600, 600, 600]


def test_a_job_is_due_when_its_time_has_come_and_once() -> None:
    (held,), clock = claims("a"), Clock()
    retries = Retries(clock)
    retries.failed(held)
    assert retries.due() is None and retries.next_s() == 1
    clock.now_s += 1
    assert retries.next_s() == 0
    assert retries.due() is held and retries.due() is None and retries.next_s() is None


def test_the_one_that_is_due_first_comes_first() -> None:
    (first, second), clock = claims("a", "b"), Clock()
    retries = Retries(clock)
    for held in (first, first, second):  # the second time of the first is 5 s away
        retries.failed(held)
    clock.now_s += 10
    assert [retries.due(), retries.due(), retries.due()] == [first, second, first]


def test_each_job_has_its_own_count_and_an_ended_one_none() -> None:
    first, second = claims("a", "b")
    retries = Retries(Clock())
    assert [retries.failed(first), retries.failed(second), retries.failed(first)] == [1, 1, 5]
    retries.done(first)
    assert retries.failed(first) == 1


def test_a_stop_takes_all_that_wait() -> None:
    held = claims("b", "a")
    retries = Retries(Clock())
    for each in held:
        retries.failed(each)
    assert retries.drain() == held and len(retries) == 0


def test_a_disk_that_was_full_is_asked_two_seconds_later(tmp_path: Path) -> None:
    clock = Clock()
    with new_spool(tmp_path) as spool:
        space = DiskSpace(spool, clock)
        assert space.may_go_on() and not space.full
        space.ran_out(4096)
        assert space.full and not space.may_go_on()
        clock.now_s += 2
        assert space.may_go_on() and not space.full
        space.ran_out(1 << 60)
        clock.now_s += 2
        assert not space.may_go_on()
