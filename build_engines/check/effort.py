"""How many pictures each part of a build looks at: fewer where one costs much, for else a build would take hours.

It follows from the graphs and not from a clock: the same command finds the same ranges on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FULL = 20e9  # multiply-accumulates of a picture, some tenths of a second on a laptop; up to here nothing is left out


@dataclass(frozen=True)
class Effort:
    """macs: multiply-accumulates of one picture, by convolution."""

    macs: Mapping[str, int]

    @property
    def total(self) -> int:
        """Of all convolutions."""
        return sum(self.macs.values())

    @property
    def full(self) -> bool:
        """Whether pictures cost so little that nothing is left out."""
        return self.total <= FULL

    def of(self, most: int, least: int = 1) -> int:
        """How many of ``most`` to look at: as many fewer as a picture costs more, but ``least``."""
        return most if self.full else max(min(most, least), int(most * FULL / self.total))
