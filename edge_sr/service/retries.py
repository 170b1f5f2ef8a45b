"""Faults that pass: when a job is tried again, and when a full disk has room again."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable

from edge_sr.service.claims import Claim
from edge_sr.service.spool import Spool

BACK_OFF_S = (1.0, 5.0, 30.0, 120.0, 600.0)  # the last one again and again
POLL_S = 2.0  # of a full disk
SPARE_BYTES = 1 << 20  # beyond what was asked for, so that the next picture does not stop again at once


class Retries:
    """The claimed jobs that wait for their next try. Nothing is stored: after a restart all are tried at once.

    For one thread. clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._tries: dict[str, int] = {}
        self._waiting: list[tuple[float, int, Claim]] = []
        self._count = 0

    def failed(self, claim: Claim) -> float:
        """Try again later; in how many seconds."""
        tries = self._tries.get(claim.job, 0)
        self._tries[claim.job] = tries + 1
        pause_s = BACK_OFF_S[min(tries, len(BACK_OFF_S) - 1)]
        self._count += 1  # of two that are due together the first one comes first; claims have no order
        heapq.heappush(self._waiting, (self._clock() + pause_s, self._count, claim))
        return pause_s

    def due(self) -> Claim | None:
        """The next job whose time has come; it is out of here until it fails again."""
        if self._waiting and self._waiting[0][0] <= self._clock():
            return heapq.heappop(self._waiting)[2]
        return None

    def next_s(self) -> float | None:
        """Seconds until one is due; None where nothing waits."""
        return max(self._waiting[0][0] - self._clock(), 0.0) if self._waiting else None

    def done(self, claim: Claim) -> None:
        """The job has ended; its count is forgotten."""
        self._tries.pop(claim.job, None)

    def drain(self) -> list[Claim]:
        """All that wait, at a stop; nothing waits afterwards."""
        left = [claim for _, _, claim in sorted(self._waiting, key=lambda each: each[:2])]
        self._waiting.clear()
        return left

    def __len__(self) -> int:
        return len(self._waiting)


class DiskSpace:
    """Whether a disk that was full has room again. For one thread.

    statvfs(3) is asked rather than the jobs tried: a try costs a picture's whole work. A quota may not show there; then
    a try every POLL_S seconds finds out.
    """

    def __init__(self, spool: Spool, clock: Callable[[], float] = time.monotonic) -> None:
        self._spool, self._clock = spool, clock
        self._needed = 0
        self._next_look = 0.0
        self.full = False

    def ran_out(self, needed_bytes: int = 0) -> None:
        """A write of so many bytes did not fit."""
        self.full = True
        self._needed = needed_bytes
        self._next_look = self._clock() + POLL_S

    def may_go_on(self) -> bool:
        """True where no write has failed, or there is room again by now. It looks every POLL_S seconds at most."""
        if self.full and self._clock() >= self._next_look:
            self._next_look = self._clock() + POLL_S
            self.full = not self._has_room()
        return not self.full

    def free_bytes(self) -> int:
        """What this user may still write."""
        status = os.fstatvfs(self._spool.outgoing)
        return status.f_bavail * status.f_frsize

    def _has_room(self) -> bool:
        status = os.fstatvfs(self._spool.outgoing)
        has_inodes = status.f_files == 0 or status.f_favail > 0  # btrfs and some others count none
        return has_inodes and status.f_bavail * status.f_frsize >= self._needed + SPARE_BYTES
