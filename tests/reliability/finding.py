"""What one row of the rig found: the figures, and every fault in words. No fault means that the row is held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

MOST_TOLD = 20  # faults that are kept in words; the rest is counted
TIMES = ("_s_most", "_ms")


@dataclass
class Finding:
    """count: of what the row counts (kills, files, cycles). figures: for the record, with units in their names.

    late: figures of time that passed their limit; apart, since a machine may be busy with something else.
    """

    count: int = 0
    figures: dict[str, object] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    untold: int = 0

    @property
    def held(self) -> bool:
        return not self.faults and not self.late

    def fault(self, what: str) -> None:
        if len(self.faults) < MOST_TOLD:
            self.faults.append(what)
        else:
            self.untold += 1

    def add(self, faults: Iterable[str]) -> None:
        for what in faults:
            self.fault(what)

    def limit(self, name: str, value: float, *, most: float) -> None:
        """Record a figure that may not pass a limit; one of time by its name."""
        self.figures[name] = round(value, 4)
        if value <= most:  # NaN is none
            return
        what = f"{name} is {value:.4g}, at most {most:g} is allowed"
        if name.endswith(TIMES):
            self.late.append(what)
        else:
            self.fault(what)

    def least(self, name: str, value: float, *, least: float) -> None:
        self.figures[name] = round(value, 4)
        if not value >= least:
            self.fault(f"{name} is {value:.4g}, at least {least:g} is wanted")


class NotHere(Exception):
    """The row cannot be run on this machine, and why: no root, no strace, no systemd-analyze."""
