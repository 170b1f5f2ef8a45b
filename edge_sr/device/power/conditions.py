"""Temperatures, clocks, power mode and throttling: without them a figure of speed or power cannot be compared."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from edge_sr.device.power.meter import Reading

# Cooling devices that slow something down; others turn a fan. Linux, Documentation/driver-api/thermal.
_SLOWING = re.compile(r"(thermal-)?(cpufreq|devfreq|cpu|gpu|processor)", re.IGNORECASE)
_GPU_CLOCK = re.compile(r"gpu|ga10b|gv11b|gp10b|gm20b|gb10b")  # devfreq names of Jetson GPUs, by JetPack and family
# "System throttled due to over-current" of Orin and Thor, and Intel's thermal throttling: they only count up.
_COUNTERS = (
    "sys/class/hwmon/hwmon*/oc*_event_cnt",
    "sys/devices/system/cpu/cpu*/thermal_throttle/*_throttle_count",
)
_COLDEST_C, _HOTTEST_C = -50.0, 150.0  # sensors of parts that are off tell -256 and the like


@dataclass(frozen=True)
class Conditions:
    """The machine in one moment; empty or None is what it does not tell.

    throttling: what is held down at this moment. throttle_counts: events since the start of the system.
    """

    temperatures_c: Mapping[str, float] = field(default_factory=dict)
    clocks_mhz: Mapping[str, float] = field(default_factory=dict)
    power_mode: str | None = None
    jetson_clocks: bool | None = None
    throttling: tuple[str, ...] | None = None
    throttle_counts: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        return {
            "temperatures_c": dict(self.temperatures_c),
            "clocks_mhz": dict(self.clocks_mhz),
            "power_mode": self.power_mode,
            "jetson_clocks": self.jetson_clocks,
            "throttling": None if self.throttling is None else list(self.throttling),
        }

    def with_reading(self, reading: Reading) -> Conditions:
        """These, and where the meter tells more, that."""
        known = (self.throttling, reading.throttling)
        both = [reason for reasons in known if reasons is not None for reason in reasons]
        return replace(
            self,
            temperatures_c={**self.temperatures_c, **reading.temperatures_c},
            clocks_mhz={**self.clocks_mhz, **reading.clocks_mhz},
            power_mode=reading.power_mode or self.power_mode,
            jetson_clocks=self.jetson_clocks if reading.jetson_clocks is None else reading.jetson_clocks,
            throttling=None if known == (None, None) else tuple(both),
        )


def read_conditions(root: Path = Path("/")) -> Conditions:
    """What sysfs tells now, some hundred small files at most; the power mode is asked by ``read_power_mode``."""
    return Conditions(
        temperatures_c=dict(_temperatures_c(root)),
        clocks_mhz=dict(_clocks_mhz(root)),
        throttling=_throttling(root),
        throttle_counts=dict(_throttle_counts(root)),
    )


def read_power_mode(command: Sequence[str] = ("nvpmodel", "-q")) -> str | None:
    """Name of a Jetson's power mode; None elsewhere. Numbers differ by JetPack and are not told."""
    try:
        told = subprocess.run(command, capture_output=True, timeout=3, stdin=subprocess.DEVNULL).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"^NV Power Mode:\s*(\S+)", told.decode("utf-8", errors="replace"), re.MULTILINE)
    return found.group(1) if found else None


def throttled(moments: Sequence[Conditions]) -> list[str] | None:
    """Why clocks were held down in a stretch of time, from its first to its last moment; None where nothing tells."""
    if not any(moment.throttling is not None or moment.throttle_counts for moment in moments):
        return None
    reasons = [reason for moment in moments for reason in moment.throttling or ()]
    before, after = moments[0].throttle_counts, moments[-1].throttle_counts
    reasons += [name for name, count in after.items() if count > before.get(name, count)]
    return list(dict.fromkeys(reasons))


def _temperatures_c(root: Path) -> Iterator[tuple[str, float]]:
    for zone in sorted(root.glob("sys/class/thermal/thermal_zone*")):
        degrees = _number(zone / "temp")  # of a part that is switched off it cannot be read
        if degrees is not None and _COLDEST_C < degrees / 1e3 < _HOTTEST_C:
            yield _text(zone / "type") or zone.name, degrees / 1e3


def _clocks_mhz(root: Path) -> Iterator[tuple[str, float]]:
    for core in sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*")):
        if (khz := _number(core / "cpufreq/scaling_cur_freq")) is not None:
            yield core.name, khz / 1e3
    for device in sorted(root.glob("sys/class/devfreq/*")):
        hz = _number(device / "cur_freq") if _GPU_CLOCK.search(device.name) else None
        if hz is not None:
            yield "gpu", hz / 1e6


def _throttling(root: Path) -> tuple[str, ...] | None:
    """Cooling devices that slow something down now; None where there is none at all."""
    told = False
    active = []
    for device in sorted(root.glob("sys/class/thermal/cooling_device*")):
        kind = _text(device / "type")
        state = _number(device / "cur_state") if _SLOWING.match(kind) else None
        told = told or state is not None
        if state is not None and state > 0:
            active.append(f"{kind} {state}")
    return tuple(active) if told else None


def _throttle_counts(root: Path) -> Iterator[tuple[str, int]]:
    for pattern in _COUNTERS:
        for path in sorted(root.glob(pattern)):
            if (count := _number(path)) is not None:
                core = path.parts[-3] if path.parts[-2] == "thermal_throttle" else "over-current"
                yield f"{core} {path.name}", count


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return None
