"""One line of what ``edge-sr doctor`` reports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Status = Literal["ok", "note", "fault", "absent"]
SOFTWARE, BOARD, GPU, ENGINES, DISK = "software", "machine", "GPU", "model and engines", "disk"


@dataclass(frozen=True)
class Check:
    """What was found, and the one command that cures it where something is wrong.

    fault: ``edge-sr run`` needs it, or on a Jetson its GPU does. note: worth knowing, everything runs. absent: this
    machine has no such thing and needs none. group: filled in by ``edge_sr.doctor.all_checks``.
    """

    name: str
    status: Status
    found: str
    hint: str = ""
    group: str = ""

    def within(self, group: str) -> Check:
        return replace(self, group=group)


def mebibytes(mib: float) -> str:
    """As a person reads it: "812 MiB", "7.6 GiB"."""
    return f"{mib:.0f} MiB" if mib < 1024 else f"{mib / 1024:.1f} GiB"
