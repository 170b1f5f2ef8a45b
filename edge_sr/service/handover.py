"""From one stage to the next: a short queue, so that the stages overlap and no more than that is in memory."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class HandOver(Generic[Item]):
    """One giver, one taker.

    room: of all that waits together, in pixels. Something is always let in where nothing waits, however large it is.
    most: how many may wait.
    """

    def __init__(self, *, most: int, room: int) -> None:
        self.most, self.room = most, room
        self._waiting: deque[tuple[Item, int]] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def give(self, item: Item, pixels: int) -> bool:
        """Hand over, waiting for room. False where nobody takes any more; the item is the giver's again."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._fits(pixels))
            if not self._closed:
                self._waiting.append((item, pixels))
                self._changed.notify_all()
            return not self._closed

    def take(self, most: int, room: int) -> list[Item]:
        """What waits, one at least and ``most`` at most, of ``room`` pixels together; [] once it is closed and empty.

        It waits for the first and never for more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._waiting))
            taken: list[Item] = []
            while self._waiting and len(taken) < most and (not taken or self._waiting[0][1] <= room):
                item, pixels = self._waiting.popleft()
                room -= pixels
                taken.append(item)
            self._changed.notify_all()
            return taken

    def close(self) -> None:
        """No more is let in; what waits is still taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take_back(self) -> list[Item]:
        """All that waits, for the one who stops."""
        with self._changed:
            left = [item for item, _ in self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
            return left

    def __len__(self) -> int:
        return len(self._waiting)

    def _fits(self, pixels: int) -> bool:
        waiting = sum(each for _, each in self._waiting)
        return not self._waiting or (len(self._waiting) < self.most and waiting + pixels <= self.room)
