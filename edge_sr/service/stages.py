"""Three threads that overlap: decode, compute, publish. What stands between them is short, so memory stays small.

    offered ──take──> decoded ──compute──> finished ──publish──> out

A stage takes what waits for it, up to a batch, and never waits for more: a lone picture goes straight through, and
under backlog pictures share a call of the model and the waiting for the disk.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from edge_sr.service.arrivals import Arrival
from edge_sr.service.claims import Claim
from edge_sr.service.handover import HandOver
from edge_sr.service.job import GONE, Job, OfferEnd
from edge_sr.service.outcomes import Outcomes
from edge_sr.service.steps import Steps
from edge_sr.service.work import OpenWork, Work

OFFERED = 2  # the next one is there when a stage is free, without a turn of the loop
BATCH_PIXELS = 1 << 18  # of inputs that are computed together; larger ones gain nothing by company
PUBLISHED_TOGETHER = 16
RESULT_PIXELS = 1 << 23  # of results that wait for the disk: 16 MB in 16 bits
LOADING_S = 900.0  # how long opening a model may take before it counts as hung
STALLED_S = 60.0
# What even a slow board does: a stage may be busy that much longer.
COMPUTED_PER_S, PUBLISHED_PER_S = 50_000, 2_000_000  # pixels, of inputs and of results


@dataclass(frozen=True)
class Opened:
    """The model is open and the self-test went through."""

    work: Work


@dataclass(frozen=True)
class Fatal:
    """The process cannot go on."""

    error: BaseException


@dataclass(frozen=True)
class AllEnded:
    """The last stage has ended; nothing is in the stages any more."""


Event = Opened | Fatal | AllEnded | OfferEnd


def _pixels(jobs: Sequence[Job]) -> int:
    return sum(job.pixels for job in jobs)


@dataclass(frozen=True)
class _Busy:
    since_s: float
    limit_s: float


class Stages:
    """open_work: called in the thread of the compute stage. self_test: called there with the work, before ``Opened``.

    events: of what happened, for the loop; ``fileno()`` becomes readable with them.
    stalled_s: how long a stage may be busy with one thing, beside the time that its pixels need.
    """

    def __init__(
        self,
        steps: Steps,
        outcomes: Outcomes,
        open_work: OpenWork,
        self_test: Callable[[Work], None],
        *,
        stalled_s: float = STALLED_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._steps, self._outcomes, self._open_work, self._self_test = steps, outcomes, open_work, self_test
        self._stalled_s, self._clock = stalled_s, clock
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._busy: dict[str, _Busy] = {}
        self._stopping = False
        self._offered: HandOver[Arrival | Claim] = HandOver(most=OFFERED, room=OFFERED)
        self._decoded: HandOver[Job] = HandOver(most=1, room=BATCH_PIXELS)
        self._finished: HandOver[Job] = HandOver(most=PUBLISHED_TOGETHER, room=RESULT_PIXELS)
        loops = {"decode": self._decode, "compute": self._compute, "publish": self._publish}
        self._threads = [
            threading.Thread(target=self._guarded, args=(loop,), name=name, daemon=True) for name, loop in loops.items()
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def fileno(self) -> int:
        return self._wake

    def events(self) -> list[Event]:
        with suppress(BlockingIOError):
            os.eventfd_read(self._wake)
        found: list[Event] = []
        while not self._events.empty():
            found.append(self._events.get_nowait())
        return found

    @property
    def may_offer(self) -> bool:
        return not self._stopping and len(self._offered) < OFFERED

    def offer(self, arrival: Arrival | Claim) -> None:
        """Only where ``may_offer``. It ends in one event, an OfferEnd."""
        self._offered.give(arrival, 1)

    def stalled(self) -> str | None:
        """The stage that has been busy with one thing for longer than that can take."""
        now_s = self._clock()
        for stage, busy in list(self._busy.items()):
            if now_s - busy.since_s > busy.limit_s:
                return stage
        return None

    def stop(self) -> None:
        """Take no more; what is computed or published now is finished, what waits before that is put back."""
        self._stopping = True
        self._offered.close()
        for offer in self._offered.take_back():
            back = self._outcomes.put_back(offer) if isinstance(offer, Claim) else OfferEnd("", GONE, name=offer.name)
            self._report(back)
        self._decoded.close()
        self._put_back(self._decoded.take_back())

    def join(self, timeout_s: float) -> bool:
        """Whether all threads have ended within that time."""
        deadline_s = self._clock() + timeout_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline_s - self._clock()))
        return not any(thread.is_alive() for thread in self._threads)

    def close(self) -> None:
        os.close(self._wake)

    def _decode(self) -> None:
        try:
            while offers := self._offered.take(1, OFFERED):
                os.eventfd_write(self._wake, 1)  # the loop may offer another
                with self._working("decode", self._stalled_s):
                    taken = self._steps.take(offers[0])
                self._pass_decoded(taken)
        finally:
            self._decoded.close()

    def _pass_decoded(self, taken: Job | OfferEnd) -> None:
        if isinstance(taken, OfferEnd):
            self._report(taken)
        elif self._stopping or not (self._finished if taken.found else self._decoded).give(taken, taken.pixels):
            self._put_back([taken])

    def _compute(self) -> None:
        try:
            with self._working("compute", LOADING_S):
                work = self._open_work()
            try:
                self._steps.work = work
                with self._working("compute", LOADING_S):
                    self._self_test(work)
                self._decoded.most = work.largest_batch
                self._report(Opened(work))
                while jobs := self._decoded.take(work.largest_batch, BATCH_PIXELS):
                    with self._working("compute", self._stalled_s + _pixels(jobs) / COMPUTED_PER_S):
                        ended = self._steps.compute(jobs)
                    self._pass_on(ended)
            finally:
                work.close()
        finally:
            self._decoded.close()
            self._finished.close()

    def _pass_on(self, ended: list[Job | OfferEnd]) -> None:
        for each in ended:
            if isinstance(each, OfferEnd):
                self._report(each)
            elif not self._finished.give(each, each.pixels):
                self._put_back([each])

    def _publish(self) -> None:
        try:
            while jobs := self._finished.take(PUBLISHED_TOGETHER, RESULT_PIXELS):
                with self._working("publish", self._stalled_s + _pixels(jobs) / PUBLISHED_PER_S):
                    ended = self._steps.publish(jobs)
                for each in ended:
                    self._report(each)
        finally:
            self._finished.close()
            self._report(AllEnded())

    def _guarded(self, loop: Callable[[], None]) -> None:
        try:
            loop()
        except BaseException as error:
            self._report(Fatal(error))

    def _put_back(self, jobs: list[Job]) -> None:
        for job in jobs:
            self._report(self._outcomes.put_back(job.claim))

    def _report(self, event: Event) -> None:
        self._events.put(event)
        os.eventfd_write(self._wake, 1)

    def _working(self, stage: str, limit_s: float) -> _Working:
        return _Working(self._busy, stage, _Busy(self._clock(), limit_s))


class _Working:
    """A stage is busy for as long as the block."""

    def __init__(self, busy: dict[str, _Busy], stage: str, told: _Busy) -> None:
        self._busy, self._stage, self._told = busy, stage, told

    def __enter__(self) -> None:
        self._busy[self._stage] = self._told

    def __exit__(self, *exc: object) -> None:
        del self._busy[self._stage]
