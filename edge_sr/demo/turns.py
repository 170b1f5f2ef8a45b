"""One job at a time: who waits stands in a line, knows how many are before it, and may leave."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edge_sr.demo.declined import Declined


@dataclass(eq=False)
class Ticket:
    """A place in the line. called: done when its turn has come, which lasts until it leaves."""

    name: str
    called: asyncio.Future[None]


class Turns:
    """Of one event loop. seats: how many may wait or be at it; whoever comes then is sent away before it uploads."""

    def __init__(self, seats: int) -> None:
        self._free = seats
        self._line: list[Ticket] = []  # the first has its turn

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Held from before the upload to the answer. Declined where all are taken."""
        if self._free == 0:
            raise Declined(503, "too many are waiting already", hint="try again in some seconds", code="busy")
        self._free -= 1
        try:
            yield
        finally:
            self._free += 1

    def join(self, name: str) -> Ticket:
        """A place at the end. Whoever takes it has to leave, called or not."""
        ticket = Ticket(name, asyncio.get_running_loop().create_future())
        self._line.append(ticket)
        self._call_first()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give the place up, so that the next one is called."""
        self._line.remove(ticket)
        self._call_first()

    def before(self, name: str) -> int | None:
        """How many come first; 0 for the one that is at it, None for a name that stands in no line."""
        return next((place for place, ticket in enumerate(self._line) if ticket.name == name), None)

    def _call_first(self) -> None:
        if self._line and not self._line[0].called.done():
            self._line[0].called.set_result(None)
