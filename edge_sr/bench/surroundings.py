"""What a figure depends on beside the code: the machine, the versions, how busy and how warm it is."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, replace
from importlib import metadata
from typing import Any

from edge_sr import __version__
from edge_sr.bench.records import plain
from edge_sr.bench.schema import Conditions
from edge_sr.device.facts import read_facts
from edge_sr.device.power import conditions

# Of what a figure may depend on; TensorRT and CUDA stand in the backend's version.
PACKAGES = (
    *("numpy", "onnx", "onnxruntime", "onnxruntime-gpu", "tensorrt", "pycuda", "cuda-python", "jetson-stats"),
    *("opencv-python", "opencv-python-headless", "Pillow", "onnx-graphsurgeon", "polygraphy"),
)


def versions() -> dict[str, str]:
    """Of those PACKAGES that are installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def load_average() -> float | None:
    """Programs that wanted to run, over the minute before; None where the system does not tell."""
    try:
        return round(os.getloadavg()[0], 2)
    except OSError:
        return None


class Surroundings:
    """Looked at twice, around the measuring."""

    def __init__(self) -> None:
        self._power_mode = conditions.read_power_mode()
        self._load = load_average()
        self._before = self._look()

    def _look(self) -> conditions.Conditions:
        return replace(conditions.read_conditions(), power_mode=self._power_mode)

    def told(self, *, gpu: Mapping[str, Any] | None = None) -> Conditions:
        """With a second look, now."""
        after = self._look()
        held = conditions.throttled([self._before, after])
        return Conditions(
            machine=_machine(),
            versions={"python": platform.python_version(), "edge-sr": __version__, **versions()},
            power_mode=self._power_mode,
            before=plain(self._before.to_json()),
            after=plain(after.to_json()),
            throttling=None if held is None else tuple(held),
            load_average_before=self._load,
            load_average_after=load_average(),
            gpu=gpu,
        )


def _machine() -> dict[str, Any]:
    """What stays the same from run to run, so not how much memory is free."""
    facts = plain({**asdict(read_facts()), "libc": " ".join(platform.libc_ver())})
    del facts["available_mib"]
    return facts
