"""Everything that the checks look at, gathered once; tests put stand-ins in its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from pathlib import Path

from edge_sr.backends.cuda_driver import CudaDevice, probe
from edge_sr.device.facts import DeviceFacts, read_facts
from edge_sr.device.jetson import Jetson, read_jetson
from edge_sr.device.power.conditions import read_power_mode
from edge_sr.device.power.find import METERS
from edge_sr.device.power.meter import Meter
from edge_sr.doctor.check import Status
from edge_sr.doctor.imports import TryImport, try_import
from edge_sr.errors import EnvironmentFault

# What the driver makes for a GPU, on a PC and on Thor, and on the other Jetsons.
_GPU_NODES = ("dev/nvidiactl", "dev/nvidia[0-9]*", "proc/driver/nvidia/version", "dev/nvhost-ctrl-gpu", "dev/nvgpu")


def installed_version(distribution: str) -> str | None:
    """From the metadata that pip leaves, which costs no import."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


@dataclass(frozen=True)
class Surroundings:
    """One machine, and one folder to write to.

    root: of the file system. gpu: None where CUDA finds none, and then gpu_fault says why. version_of: of an installed
    distribution, None for none. try_import: see ``edge_sr.doctor.imports``. now_s: by the system's clock.
    """

    facts: DeviceFacts
    jetson: Jetson | None = None
    gpu: CudaDevice | None = None
    gpu_fault: EnvironmentFault | None = None
    output: Path = Path()
    root: Path = Path("/")
    version_of: Callable[[str], str | None] = installed_version
    try_import: TryImport = try_import
    meters: Mapping[str, Callable[[], Meter]] = field(default_factory=lambda: METERS)
    now_s: Callable[[], float] = time.time

    @property
    def board(self) -> Jetson | None:
        """The Jetson where it is one that is supported; of another one only that is told."""
        return self.jetson if self.jetson is not None and self.jetson.supported else None

    @property
    def has_gpu(self) -> bool:
        """Whether there is one, usable or not."""
        return self.gpu is not None or self.jetson is not None or any(any(self.root.glob(n)) for n in _GPU_NODES)

    @property
    def lacking(self) -> Status:
        """What it is where the GPU lacks something: a Jetson is there for its GPU, a PC does without."""
        return "note" if self.jetson is None else "fault"

    def text(self, path: str) -> str:
        """Of a file below root; "" where it cannot be read."""
        try:
            return (self.root / path).read_text("utf-8", errors="replace")
        except OSError:
            return ""


def look_around(output: Path = Path(), root: Path = Path("/")) -> Surroundings:
    """This machine."""
    jetson = read_jetson(root)
    if jetson is not None:
        jetson = replace(jetson, power_mode=read_power_mode() or jetson.power_mode)
    here = Surroundings(read_facts(root), jetson, output=output, root=root)
    try:
        return replace(here, gpu=probe())
    except EnvironmentFault as fault:
        return replace(here, gpu_fault=fault)
