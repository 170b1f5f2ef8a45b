"""Which machine this is, and what ``edge-sr doctor`` says of it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib import metadata
from typing import Any

from build_engines.device_check.steps import Findings
from build_engines.device_check.subject import Subject
from edge_sr.device.facts import read_facts
from edge_sr.device.power.conditions import Conditions, read_conditions, read_power_mode
from edge_sr.doctor import report

# Of what a figure may depend on; TensorRT and CUDA stand in the backend's version.
PACKAGES = (
    *("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "tensorrt", "pycuda", "cuda-python", "jetson-stats"),
    *("opencv-python", "opencv-python-headless", "Pillow", "onnx-graphsurgeon", "polygraphy"),
)


def machine_json(subject: Subject, power_mode: str | None) -> dict[str, object]:
    """Processor, board, backend and package versions. Nothing in it names the machine or its user."""
    gpu = getattr(subject.target.backend, "gpu", None)
    return {
        **asdict(read_facts()),
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver()),
        "packages": _versions(),
        "power_mode": power_mode,
        "load_average": _load_average(),
        "target": asdict(subject.target.machine),
        "gpu": None if gpu is None else asdict(gpu),
    }


def _load_average() -> float | None:
    """Programs that wanted to run, over the minute before; None where the system does not tell."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


def _versions() -> Mapping[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


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
