"""Row 15: what systemd-analyze says to the unit files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.reliability.finding import Finding
from tests.reliability.rig import Rig, need
from tests.reliability.service import ROOT

UNITS = ROOT / "systemd"
EXPOSURE = 1.0
ANALYSE = ("systemd-analyze", "--no-pager")


def units(rig: Rig, count: int) -> dict[str, Finding]:
    """count: of the services that are to be found."""
    need("systemd-analyze")
    finding = Finding(count)
    made = list(_installed(rig.folder))
    if len(made) != count:
        finding.fault(f"{len(made)} services, {count} are known")
    done = subprocess.run([*ANALYSE, "verify", *map(str, made)], capture_output=True, text=True)
    told = done.stdout + done.stderr
    if done.returncode or told:  # it exits 0 on an unknown key
        finding.fault(f"systemd-analyze verify: exit {done.returncode}, {told[:500]}")
    for unit in made:
        if not unit.name.startswith("edge-sr-failed"):  # a hook that runs what its owner writes
            finding.limit(f"exposure_of_{unit.stem}", _exposure(unit), most=EXPOSURE)
    finding.figures["systemd"] = _version()
    return {"15": finding}


def _installed(folder: Path) -> Iterator[Path]:
    """The units with the prefix that an installer gives them; verify wants the programs to be there."""
    prefix, home = folder / "prefix", folder / "units"
    for program in ("bin/edge-sr", "systemd/build-engines"):
        stub = prefix / "current" / program
        stub.parent.mkdir(parents=True, exist_ok=True)
        stub.write_text("#!/bin/sh\n")
        stub.chmod(0o755)
    home.mkdir(exist_ok=True)
    for unit in sorted(UNITS.glob("*.service")):
        text = unit.read_text("utf-8").replace("@PREFIX@", str(prefix))
        (home / unit.name).write_text(text)
        yield home / unit.name


def _exposure(unit: Path) -> float:
    done = subprocess.run([*ANALYSE, "security", "--offline=yes", str(unit)], capture_output=True, text=True)
    words = done.stdout.rpartition("exposure level for")[2].partition(":")[2].split()
    return float(words[0]) if words else float("nan")


def _version() -> str:
    done = subprocess.run(["systemd-analyze", "--version"], capture_output=True, text=True)
    return done.stdout.partition("\n")[0]
