"""RAPL: the energy counters of x86 processors, in Linux's powercap tree. Most kernels let only root read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge_sr.device.power.meter import TOTAL, MeterFault, Reading

PLACE = "sys/class/powercap"
_ZONE = re.compile(r"intel-rapl:(\d+)(?::\d+)?")  # AMD's are called so as well; intel-rapl-mmio repeats the package


@dataclass
class _Counter:
    """One counter in microjoules, which starts again at 0 after ``highest``."""

    path: Path
    highest: int
    last: int
    turns: int = 0

    def joules(self) -> float:
        now = _number(self.path)
        if now < self.last:
            self.turns += 1
        self.last = now
        return (self.turns * (self.highest + 1) + now) / 1e6


class Rapl:
    """Processor packages and the memory beside them.

    root: of the file system; another one in tests.
    """

    name = "rapl"
    covers = "the processor packages, with memory where it is counted; neither board nor GPU"
    interval_s = 0.05
    longest_gap_s = 5.0  # a counter forgets nothing; it must only not turn twice, which takes minutes
    counts_energy = True

    def __init__(self, root: Path = Path("/")) -> None:
        self._counters = _counters(root / PLACE)
        if not any(_counts(rail) for rail in self._counters):
            raise MeterFault("no energy counters", where=root / PLACE)

    def read(self) -> Reading:
        joules = {rail: counter.joules() for rail, counter in self._counters.items()}
        return Reading({**joules, TOTAL: sum(value for rail, value in joules.items() if _counts(rail))})

    def close(self) -> None:
        pass


def _counts(rail: str) -> bool:
    """Packages and their memory; cores and uncore lie inside a package, psys around everything."""
    return re.fullmatch(r"package-\d+(/dram)?", rail) is not None


def _counters(place: Path) -> dict[str, _Counter]:
    folders = {folder.name: folder for folder in sorted(place.glob("intel-rapl:*")) if _ZONE.fullmatch(folder.name)}
    found = {}
    for name, folder in folders.items():
        package, part = name.split(":")[1], name.count(":") == 2
        label = _text(folder / "name")
        if part:
            label = f"{_text(place / f'intel-rapl:{package}' / 'name')}/{label}"
        energy = folder / "energy_uj"
        found[label] = _Counter(energy, highest=_number(folder / "max_energy_range_uj"), last=_number(energy))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError as error:
        raise MeterFault(f"cannot be read ({error.strerror})", where=path) from error


def _number(path: Path) -> int:
    try:
        return int(path.read_bytes())
    except PermissionError as error:
        # Closed to users since CVE-2020-8694: the counters tell what other programs compute.
        raise MeterFault("only root may read it", where=path, hint="the same command with sudo") from error
    except OSError as error:
        raise MeterFault(f"cannot be read ({error.strerror})", where=path) from error
    except ValueError as error:
        raise MeterFault("is not a whole number", where=path) from error
