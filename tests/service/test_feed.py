"""Which job comes next, and what an offer's end means for the ones after it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.service import tally
from edge_sr.service.arrivals import Arrival, Arrivals
from edge_sr.service.claims import Claim
from edge_sr.service.feed import Feed
from edge_sr.service.job import NO_SPACE, UNCLAIMED, OfferEnd
from edge_sr.service.retries import DiskSpace, Retries
from edge_sr.service.spool import Spool
from tests.service.spools import new_spool, put


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with new_spool(tmp_path) as opened:
        yield opened


def feed_of(spool: Spool, clock: Clock, *first: Claim) -> Feed:
    arrivals = Arrivals(spool.incoming, ends=lambda content: True, clock=clock)
    return Feed(arrivals, Retries(clock), DiskSpace(spool, clock), first)


def claim(number: int) -> Claim:
    return Claim(f"{number:032x}", f"claimed{number}.png")


def drained(feed: Feed) -> list[str]:
    return [offer.name for offer in iter(feed.next, None)]


def drop(spool: Spool, feed: Feed, *names: str) -> None:
    for name in names:
        put(spool, name)
    feed.scan()
    feed.scan()


def test_what_was_at_hand_comes_first(spool: Spool, clock: Clock) -> None:
    feed = feed_of(spool, clock, claim(1), claim(2))
    drop(spool, feed, "new.png")
    assert drained(feed) == ["claimed1.png", "claimed2.png", "new.png"]


def test_what_was_at_hand_at_a_death_is_offered_alone(spool: Spool, clock: Clock) -> None:
    """Or the deaths of one picture would count for the one that is decoded meanwhile."""
    first, second = (replace(claim(number), recovered=True) for number in (1, 2))
    feed = feed_of(spool, clock, first, second)
    drop(spool, feed, "new.png", "newer.png")
    for recovered in (first, second):
        assert drained(feed) == [recovered.name] and feed.next_retry_s is None
        feed.ended(OfferEnd(recovered.job, tally.DONE, claim=recovered))
    assert drained(feed) == ["new.png", "newer.png"]


@pytest.mark.parametrize(("reason", "seconds"), [("folder", 6.0), ("forbidden", 61.0)])
def test_a_folder_that_failed_is_tried_again_sooner(spool: Spool, clock: Clock, reason: str, seconds: float) -> None:
    feed = feed_of(spool, clock)
    drop(spool, feed, "a.png")
    assert drained(feed) == ["a.png"]
    feed.ended(OfferEnd("", UNCLAIMED, reason, name="a.png"))
    clock.now_s += seconds - 2
    feed.scan()
    assert feed.next() is None
    clock.now_s += 2
    feed.scan()
    feed.scan()
    assert drained(feed) == ["a.png"]


def test_retries_and_new_files_take_turns(spool: Spool, clock: Clock) -> None:
    feed = feed_of(spool, clock, claim(1), claim(2))
    for offer in (feed.next(), feed.next()):
        assert isinstance(offer, Claim)
        feed.ended(OfferEnd(offer.job, tally.LATER, "environment", claim=offer))
    assert feed.next() is None and feed.trouble == "passing-fault" and not feed.empty
    drop(spool, feed, "a.png", "b.png")
    clock.now_s = 1.0
    kinds = [type(feed.next()) for _ in range(4)]
    assert kinds in ([Claim, Arrival] * 2, [Arrival, Claim] * 2)


def test_a_full_disk_holds_everything_and_forgets_nothing(
    spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed, room = feed_of(spool, clock, claim(1)), [False]
    monkeypatch.setattr(DiskSpace, "_has_room", lambda self: room[0])
    offer = feed.next()
    assert isinstance(offer, Claim)
    feed.ended(OfferEnd(offer.job, NO_SPACE, "disk-full", claim=offer))
    drop(spool, feed, "new.png")
    clock.now_s = 10.0
    assert feed.next() is None and feed.disk_full
    room[0], clock.now_s = True, 20.0
    assert drained(feed) == ["claimed1.png", "new.png"]


def test_one_that_cannot_be_claimed_does_not_come_again_at_once(spool: Spool, clock: Clock) -> None:
    feed = feed_of(spool, clock)
    drop(spool, feed, "a.png")
    assert drained(feed) == ["a.png"]
    feed.ended(OfferEnd("", UNCLAIMED, "forbidden", name="a.png"))
    feed.scan()
    feed.scan()
    assert drained(feed) == [] and feed.unclaimed == {"a.png"} and feed.empty


def test_a_result_ends_the_trouble(spool: Spool, clock: Clock) -> None:
    feed = feed_of(spool, clock, claim(1))
    offer = feed.next()
    assert isinstance(offer, Claim)
    feed.ended(OfferEnd(offer.job, tally.LATER, "memory", claim=offer))
    clock.now_s = 1.0
    again = feed.next()
    feed.ended(OfferEnd(offer.job, tally.DONE, claim=offer))
    assert again == offer and feed.trouble == "" and feed.in_flight == 0 and feed.empty


def test_a_folder_that_cannot_be_read_is_told_and_forgotten(
    spool: Spool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Arrivals) -> None:
        raise OSError(5, "I/O error")

    feed = feed_of(spool, clock)
    with monkeypatch.context() as broken:
        broken.setattr(Arrivals, "scan", fail)
        feed.scan()
        assert feed.trouble == "folder-unreadable"
    feed.scan()
    assert feed.trouble == ""


def test_what_waits_is_given_out_at_the_end(spool: Spool, clock: Clock) -> None:
    feed = feed_of(spool, clock, claim(1), claim(2))
    offer = feed.next()
    assert isinstance(offer, Claim)
    feed.ended(OfferEnd(offer.job, tally.LATER, "memory", claim=offer))
    assert sorted(each.job for each in feed.drain()) == [claim(1).job, claim(2).job] and feed.empty
