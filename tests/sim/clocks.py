"""Vector clocks: which of two actions is sure to happen before the other.

An actor is the host or a stream. A clock says how many actions of each actor are known to be over. An action (actor,
number) happened before a moment with the clock c if c[actor] >= number (Lamport 1978; Mattern 1989).
"""

from __future__ import annotations

Clock = dict[int, int]
HOST = 0


class Clocks:
    """The clock of every actor."""

    def __init__(self) -> None:
        self.of: dict[int, Clock] = {HOST: {}}

    def tick(self, actor: int) -> int:
        """The number of the actor's next action."""
        clock = self.of.setdefault(actor, {})
        clock[actor] = clock.get(actor, 0) + 1
        return clock[actor]

    def learn(self, actor: int, clock: Clock) -> None:
        """All that is over by that clock is over for the actor's next actions."""
        own = self.of.setdefault(actor, {})
        for other, number in clock.items():
            if own.get(other, 0) < number:
                own[other] = number

    def snapshot(self, actor: int) -> Clock:
        return dict(self.of.setdefault(actor, {}))

    def is_over(self, actor: int, number: int, for_actor: int) -> bool:
        return actor == for_actor or self.of.setdefault(for_actor, {}).get(actor, 0) >= number
