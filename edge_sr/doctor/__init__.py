"""What this machine has, and what to type where something is missing.

One module a group of checks; each is a list of small functions over ``Surroundings``. Nothing heavy is imported at the
top: the doctor must run, and say so, where numpy or OpenCV is not installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

from edge_sr import __version__
from edge_sr.doctor import board, disk, engines, gpu, packages
from edge_sr.doctor.check import BOARD, DISK, ENGINES, GPU, SOFTWARE, Check
from edge_sr.doctor.surroundings import Surroundings, look_around

__all__ = ["Check", "Surroundings", "all_checks", "as_report", "look_around", "report"]

SCHEMA_VERSION = 2  # 1 had neither groups, nor "absent", nor jetson and gpu

GROUPS: dict[str, Callable[[Surroundings], Iterator[Check]]] = {
    SOFTWARE: packages.checks,
    BOARD: board.checks,
    GPU: gpu.checks,
    ENGINES: engines.checks,
    DISK: disk.checks,
}


def all_checks(here: Surroundings) -> Iterator[Check]:
    """One after the other, as they are done."""
    for group, checks in GROUPS.items():
        yield from (check.within(group) for check in checks(here))


def report(output: Path = Path()) -> dict[str, object]:
    """What ``edge-sr doctor --json`` prints, of this machine. output: the folder that would be written to."""
    here = look_around(output)
    return as_report(here, all_checks(here))


def as_report(here: Surroundings, checks: Iterable[Check]) -> dict[str, object]:
    """What ``json.dumps`` takes; ``ok`` is false where a check is a fault."""
    lines = list(checks)
    return {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "ok": not any(check.status == "fault" for check in lines),
        "device": asdict(here.facts),
        "jetson": None if here.jetson is None else asdict(here.jetson) | {"modes": dict(here.jetson.modes)},
        "gpu": None if here.gpu is None else asdict(here.gpu),
        "checks": [asdict(check) for check in lines],
    }
