"""What comes next: what was at hand when the service last ended, then retries and new files in turn."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from edge_sr.errors import EnvironmentFault
from edge_sr.service import tally
from edge_sr.service.arrivals import Arrival, Arrivals
from edge_sr.service.claims import Claim
from edge_sr.service.job import NO_SPACE, STILL_WRITTEN, UNCLAIMED, OfferEnd
from edge_sr.service.retries import DiskSpace, Retries

MOST_UNCLAIMED = 4096  # as many as arrivals keep
LATER_S = {"forbidden": 60.0, "folder": 5.0}  # a name that cannot be moved, and a fault of the folder that passes


class Feed:
    """For one thread. Every offer that ``next`` gives comes back as one ``ended``.

    What was at hand when the service died is offered alone: where it dies of one of them again, the deaths count for
    that one and not for its neighbours.

    trouble: code of what passes and has not passed yet, "" for none.
    """

    def __init__(self, arrivals: Arrivals, retries: Retries, disk: DiskSpace, first: Sequence[Claim] = ()) -> None:
        self._arrivals, self._retries, self._disk = arrivals, retries, disk
        self._first = deque(first)
        self._retry_next = self._alone = False
        self.in_flight = 0
        self.unclaimed: set[str] = set()  # names in incoming that could not be taken, and have not been since
        self.trouble = ""

    def scan(self) -> None:
        """Look at incoming; where that fails, the next look may not."""
        try:
            self._arrivals.scan()
        except (EnvironmentFault, OSError):
            self.trouble = "folder-unreadable"
        else:
            if self.trouble == "folder-unreadable":
                self.trouble = ""

    def hint(self, name: str) -> None:
        self._arrivals.hint(name)

    def next(self) -> Arrival | Claim | None:
        if self._alone or self._waits_to_be_alone or not self._disk.may_go_on():
            return None
        offer = self._first.popleft() if self._first else self._in_turn()
        if offer is not None:
            self.in_flight += 1
            self._alone = isinstance(offer, Claim) and offer.recovered
            self.unclaimed.discard(offer.name)
        return offer

    @property
    def _waits_to_be_alone(self) -> bool:
        return bool(self._first) and self._first[0].recovered and self.in_flight > 0

    def _in_turn(self) -> Arrival | Claim | None:
        self._retry_next = not self._retry_next
        if self._retry_next:
            return self._retries.due() or self._arrivals.take()
        return self._arrivals.take() or self._retries.due()

    def ended(self, end: OfferEnd) -> None:
        self.in_flight -= 1
        self._alone = self._alone and self.in_flight > 0
        if end.result in (tally.DONE, tally.QUARANTINED) and end.claim is not None:
            self._retries.done(end.claim)
        if end.result == tally.DONE and self.trouble == "passing-fault":
            self.trouble = ""
        elif end.result == tally.LATER and end.claim is not None:
            self._retries.failed(end.claim)
            if end.reason in ("environment", "memory"):
                self.trouble = "passing-fault"
        elif end.result == NO_SPACE:
            self._disk.ran_out(end.needed_bytes)
            if end.claim is not None:
                self._first.append(end.claim)
        elif end.result == UNCLAIMED:
            if len(self.unclaimed) < MOST_UNCLAIMED:
                self.unclaimed.add(end.name)
            if end.reason == "folder":
                self.trouble = "passing-fault"
            self._arrivals.later(end.name, LATER_S[end.reason])
        elif end.result == STILL_WRITTEN:
            self._arrivals.distrust(end.name)

    def drain(self) -> list[Claim]:
        """What is still claimed and in no stage, for the one who stops."""
        left = [*self._first, *self._retries.drain()]
        self._first.clear()
        return left

    @property
    def disk_full(self) -> bool:
        return self._disk.full

    @property
    def empty(self) -> bool:
        """Nothing waits that can be taken, nothing is tried again, nothing is in the stages."""
        waiting = self._arrivals.waiting > len(self.unclaimed)
        return not (self._first or self.in_flight or len(self._retries) or waiting)

    @property
    def next_retry_s(self) -> float | None:
        """None while something has to end before: that wakes the loop."""
        if self._alone or self._waits_to_be_alone:
            return None
        return 0.0 if self._first else self._retries.next_s()

    def to_json(self) -> dict[str, object]:
        oldest_s = self._arrivals.oldest_s
        return {
            "waiting": self._arrivals.waiting,
            "oldest_s": None if oldest_s is None else round(oldest_s, 1),
            "ignored": self._arrivals.ignored,
            "retrying": len(self._retries) + len(self._first),
            "in_stages": self.in_flight,
        }

    def disk_to_json(self) -> dict[str, object]:
        try:
            return {"free_bytes": self._disk.free_bytes(), "full": self._disk.full}
        except (EnvironmentFault, OSError):
            return {"free_bytes": None, "full": self._disk.full}
