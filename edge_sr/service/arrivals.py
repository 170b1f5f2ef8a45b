"""What lies in incoming, and which of it may be taken now. Looking at the folder is the truth; events only hasten it.

A file is taken when it has stopped changing and its format has come to its end. Nothing is written here but memory.
"""

from __future__ import annotations

import heapq
import math
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from edge_sr.service.faults import INCOMPLETE, LINK, REFUSED, SEVERAL_LINKS, SPECIAL_FILE
from edge_sr.service.files import entries_of, open_regular, status_of

# What programs call a file that they have not finished.
UNFINISHED = (".part", ".tmp", ".partial", ".filepart", ".crdownload")
MOST_KEPT = 4096  # names in memory, the oldest; the rest is found again when these are done
CROWDED_S = 10.0  # between looks at a folder that holds more than enough
UNKNOWN_AFTER_S = 5.0  # a format whose end nobody can tell is left alone for so long
Found = tuple[int, str, int, int, int, int]  # mtime_ns, name, size, inode, mode, links; in the order of taking


@dataclass(frozen=True)
class Arrival:
    """One thing that may be claimed now. reason: "" for a file to be worked on, else its code in quarantine."""

    name: str
    size: int
    mtime_ns: int
    inode: int
    reason: str = ""


@dataclass(slots=True)
class _Seen:
    """since: when it was first seen as it is now. ended: None as long as nobody has looked."""

    found: Found
    since: float
    stable: bool = False
    ended: bool | None = None
    hinted: bool = False


class Arrivals:
    """For one thread.

    incoming: the open folder. ends: whether an open file is whole, None for a format it does not know, as
    ``edge_sr.image.ending.ends_properly``. incomplete_after_s: how long an unchanged file may lack its end, or have
    several names, as while a publisher links and unlinks. clock: seconds that only grow.

    waiting, ignored: how many there were at the last look at the folder, of what is or is not for the service.
    """

    def __init__(
        self,
        incoming: int,
        *,
        ends: Callable[[int], bool | None],
        incomplete_after_s: float = 60.0,
        most: int = MOST_KEPT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._incoming, self._ends, self._clock = incoming, ends, clock
        self._patience_s, self._most = incomplete_after_s, most
        self._seen: dict[str, _Seen] = {}
        self._ready: list[tuple[int, str]] = []  # a heap; an entry that no longer fits _seen counts as gone
        self._not_before: dict[str, float] = {}
        self._distrusted: set[str] = set()
        self._looked = -math.inf
        self.waiting = self.ignored = 0

    def scan(self) -> None:
        """Look at the whole folder: of 20,000 names about 0.1 s, and memory for ``most`` of them.

        As long as half of those are still to be taken, this looks every CROWDED_S seconds only.
        """
        now = self._clock()
        if len(self._ready) > self._most // 2 and now - self._looked < CROWDED_S:
            return
        self._looked = now
        self._not_before = {name: until for name, until in self._not_before.items() if until > now}
        self.waiting = self.ignored = 0
        oldest = heapq.nsmallest(self._most, self._listed())
        self._seen = {found[1]: self._seen_again(found, now) for found in oldest}
        self._distrusted &= self._seen.keys()
        self._ready = [(each.found[0], name) for name, each in self._seen.items() if self._may_be_ready(each, now)]
        heapq.heapify(self._ready)

    def hint(self, name: str) -> None:
        """An event said that ``name`` was closed or moved into place: it is stable at once. Costs one stat."""
        status = status_of(name, folder=self._incoming)
        if status is None:
            self._seen.pop(name, None)
            return
        if not _is_for_us(name) or stat.S_ISDIR(status.st_mode) or name in self._not_before:
            return
        if name not in self._seen:
            self.waiting += 1
            if len(self._seen) >= self._most:
                return  # a scan finds it when it is its turn
        each = _Seen(_found(name, status), self._clock(), stable=name not in self._distrusted, hinted=True)
        self._seen[name] = each
        if each.stable:
            heapq.heappush(self._ready, (each.found[0], name))

    def take(self) -> Arrival | None:
        """The next one that may be claimed now, oldest first, ties by name; None where there is none.

        It is not offered again before another scan has found it twice, or an event.
        """
        while self._ready:
            mtime_ns, name = heapq.heappop(self._ready)
            each = self._seen.get(name)
            if each is None or each.found[0] != mtime_ns or not each.stable:
                continue
            reason = self._judged(each)
            if reason is not None:
                del self._seen[name]
                self.waiting = max(self.waiting - 1, 0)
                return Arrival(name, each.found[2], mtime_ns, each.found[3], reason)
        return None

    def later(self, name: str, seconds: float = 60.0) -> None:
        """Do not offer ``name`` for so long: it could not be claimed."""
        self._not_before[name] = self._clock() + seconds
        self._seen.pop(name, None)

    def distrust(self, name: str) -> None:
        """``name`` was given back as still written: events do not count for it, equal scans do."""
        self._distrusted.add(name)

    @property
    def ready(self) -> int:
        """How many have stopped changing; some of them may yet lack their end."""
        return len(self._ready)

    @property
    def oldest_s(self) -> float | None:
        """Seconds since the oldest that waits was last changed; None where nothing waits."""
        if not self._seen:
            return None
        return max(time.time() - min(each.found[0] for each in self._seen.values()) / 1e9, 0.0)

    def _listed(self) -> Iterator[Found]:
        """Everything in the folder that is for the service, and not put off."""
        for entry in entries_of(self._incoming):
            name = entry.name
            if not _is_for_us(name) or entry.is_dir(follow_symlinks=False):
                self.ignored += 1
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            self.waiting += 1
            if name not in self._not_before:
                yield _found(name, status)

    def _seen_again(self, found: Found, now: float) -> _Seen:
        before = self._seen.get(found[1])
        if before is None or _signature(before.found) != _signature(found):
            return _Seen(found, now)
        before.found, before.stable = found, True
        return before

    def _may_be_ready(self, each: _Seen, now: float) -> bool:
        """What is known to lack something is looked at again when its time is over, or it has changed."""
        lacks = each.ended is False or (stat.S_ISREG(each.found[4]) and each.found[5] > 1)
        return each.stable and (not lacks or now - each.since >= self._patience_s)

    def _judged(self, each: _Seen) -> str | None:
        """ "" or a reason where it is to be claimed now, None where it has to wait."""
        _, name, size, _, mode, links = each.found
        if not stat.S_ISREG(mode):
            return LINK if stat.S_ISLNK(mode) else SPECIAL_FILE
        impatient = self._clock() - each.since >= self._patience_s
        if links > 1:
            return SEVERAL_LINKS if impatient else None
        try:
            each.ended = size > 0 and self._ended(each)
        except PermissionError:
            each.ended = False
            return REFUSED if impatient else None
        except OSError:  # gone, or swapped for something else: the next scan sees what it is
            self._seen.pop(name, None)
            return None
        if each.ended:
            return ""
        return INCOMPLETE if impatient and each.ended is False else None

    def _ended(self, each: _Seen) -> bool | None:
        """None: it cannot be told, and it is too early to take it all the same."""
        descriptor = open_regular(each.found[1], folder=self._incoming)
        try:
            if _signature(_found(each.found[1], os.fstat(descriptor))) != _signature(each.found):
                each.stable = False
                return None
            ended = self._ends(descriptor)
        finally:
            os.close(descriptor)
        if ended is None:
            return True if self._clock() - each.since >= UNKNOWN_AFTER_S else None
        return ended


def _is_for_us(name: str) -> bool:
    return name[0] != "." and not name.lower().endswith(UNFINISHED)


def _found(name: str, status: os.stat_result) -> Found:
    return status.st_mtime_ns, name, status.st_size, status.st_ino, status.st_mode, status.st_nlink


def _signature(found: Found) -> tuple[int, int, int]:
    """What stays the same while nobody writes."""
    return found[0], found[2], found[3]
