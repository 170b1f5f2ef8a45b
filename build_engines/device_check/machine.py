"""Which machine this is, and what ``edge-sr doctor`` says of it."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

from build_engines.device_check.steps import Findings
from build_engines.device_check.subject import Subject
from edge_sr.bench.surroundings import load_average, versions
from edge_sr.device.facts import read_facts
from edge_sr.device.power.conditions import Conditions, read_conditions, read_power_mode
from edge_sr.doctor import report


def machine_json(subject: Subject, power_mode: str | None) -> dict[str, object]:
    """Processor, board, backend and package versions. Nothing in it names the machine or its user."""
    gpu = getattr(subject.target.backend, "gpu", None)
    return {
        **asdict(read_facts()),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "packages": versions(),
        "power_mode": power_mode,
        "load_average": load_average(),
        "target": asdict(subject.target.machine),
        "gpu": None if gpu is None else asdict(gpu),
    }


def looking(power_mode: str | None) -> Callable[[], Conditions]:
    """What looks at the conditions around a step. power_mode: as it is now; where there is none it is not asked again,
    which takes a process.
    """

    def look() -> Conditions:
        return replace(read_conditions(), power_mode=read_power_mode() if power_mode else None)

    return look


def ask_doctor() -> Findings:
    """What ``edge-sr doctor --json`` tells of this machine; each fault of it is one."""
    told: dict[str, Any] = report()
    checks = told["checks"]
    faults = tuple(f"{check['name']}: {check['found']}" for check in checks if check["status"] == "fault")
    notes = sum(check["status"] == "note" for check in checks)
    return Findings(told, faults, f"{len(checks)} checks, {len(faults)} faults, {notes} notes")
