"""What the demo keeps in memory: the newest things, so many and so large at most. Nothing is written to a disk."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

from edge_sr.demo.declined import Declined

T = TypeVar("T")


class Shelf(Generic[T]):
    """Things by a name that cannot be guessed. What was not asked for the longest goes first; the newest stays.

    what: as a message calls one of them. For several threads.
    """

    def __init__(self, what: str, *, most: int, most_bytes: int) -> None:
        self._what, self._most, self._most_bytes = what, most, most_bytes
        self._things: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def put(self, thing: T, n_bytes: int) -> str:
        """Its name."""
        name = secrets.token_urlsafe(12)
        with self._lock:
            self._things[name] = (thing, n_bytes)
            self._bytes += n_bytes
            while len(self._things) > 1 and (len(self._things) > self._most or self._bytes > self._most_bytes):
                self._bytes -= self._things.popitem(last=False)[1][1]
        return name

    def take(self, name: str) -> T:
        """The thing, which stays. Declined with code "gone" where it is kept no longer or never was."""
        with self._lock:
            if name not in self._things:
                raise Declined(404, f"this {self._what} is kept no longer", hint="open it again", code="gone")
            self._things.move_to_end(name)
            return self._things[name][0]

    def __len__(self) -> int:
        return len(self._things)
