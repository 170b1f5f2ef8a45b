"""What a Jetson tells of itself: chip, L4T, JetPack, power modes and the limits of its clocks.

The functions that parse take the text; ``read_jetson`` and ``read_clock_limits`` alone open files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Chip of the device tree's ``compatible`` -> family (Linux, Documentation/devicetree/bindings/arm/tegra.yaml).
FAMILIES = {
    "tegra210": "the first Nano or TX1",
    "tegra186": "TX2",
    "tegra194": "Xavier",
    "tegra234": "Orin",
    "tegra264": "Thor",
}
SUPPORTED = ("Orin", "Thor")
# Major number of L4T -> of JetPack, https://developer.nvidia.com/embedded/jetpack-archive. 38 was for Thor alone.
JETPACKS = {32: "4", 34: "5", 35: "5", 36: "6", 38: "7", 39: "7"}
_GPU = re.compile(r"gpu|ga10b|gv11b|gp10b|gm20b|gb10b")  # devfreq names, by JetPack and family


@dataclass(frozen=True)
class Jetson:
    """One board of the family.

    chip: "tegra234", "" where the device tree does not say. l4t: "36.4.3". jetpack: "6.2.1" where its package is
    installed, else the major number that belongs to l4t. modes: names of the power modes by number.
    """

    chip: str = ""
    l4t: str | None = None
    jetpack: str | None = None
    power_mode: str | None = None
    modes: tuple[tuple[int, str], ...] = ()

    @property
    def family(self) -> str:
        return FAMILIES.get(self.chip, "unknown")

    @property
    def supported(self) -> bool:
        """Whether edge-sr is made for its GPU; a chip that is younger than this release counts as if it were."""
        return self.family in (*SUPPORTED, "unknown")

    @property
    def l4t_major(self) -> int | None:
        return int(self.l4t.partition(".")[0]) if self.l4t else None


@dataclass(frozen=True)
class ClockLimits:
    """Within which one clock moves now; equal where it is held. now_mhz: None where it cannot be read."""

    part: str
    lowest_mhz: float
    highest_mhz: float
    now_mhz: float | None

    @property
    def held(self) -> bool:
        return self.lowest_mhz == self.highest_mhz


def read_jetson(root: Path = Path("/")) -> Jetson | None:
    """None on every other machine."""
    chip = chip_of(_text(root / "proc/device-tree/compatible"))
    release = _text(root / "etc/nv_tegra_release")
    if not chip and not release:
        return None
    packages = _bytes(root / "var/lib/dpkg/status")
    l4t = l4t_version(release) or _upstream(package_version(packages, "nvidia-l4t-core"))
    modes = power_modes(_text(root / "etc/nvpmodel.conf"))
    number = mode_number(_text(root / "var/lib/nvpmodel/status"))
    jetpack = _upstream(package_version(packages, "nvidia-jetpack"))
    if jetpack is None and l4t is not None:
        jetpack = JETPACKS.get(int(l4t.partition(".")[0]))
    return Jetson(chip, l4t, jetpack, dict(modes).get(number) if number is not None else None, modes)


def chip_of(compatible: str) -> str:
    """The device tree's list, ended by NULs, without its vendor: "tegra234"; "" for other machines."""
    found = re.search(r"nvidia,(tegra\d+)", compatible)
    return found.group(1) if found else ""


def l4t_version(release: str) -> str | None:
    """Of "# R36 (release), REVISION: 4.3, GCID: ..., BOARD: generic, ..."."""
    found = re.search(r"^# R(\d+) \(release\), REVISION: ([\d.]+)", release)
    return ".".join(found.groups()) if found else None


def package_version(status: bytes, name: str) -> str | None:
    """Of an installed package, from the text of /var/lib/dpkg/status (some MB, so it stays bytes)."""
    start = (b"\n" + status).find(f"\nPackage: {name}\n".encode())
    if start < 0:
        return None
    paragraph = status[start:].partition(b"\n\n")[0].decode("utf-8", errors="replace")
    version = re.search(r"^Version: (\S+)$", paragraph, re.MULTILINE)
    return (
        version.group(1) if version and re.search(r"^Status: install ok installed$", paragraph, re.MULTILINE) else None
    )


def power_modes(conf: str) -> tuple[tuple[int, str], ...]:
    """(number, name) of "< POWER_MODEL ID=2 NAME=MAXN_SUPER >" in nvpmodel.conf; boards differ in the numbers."""
    found = re.findall(r"^\s*<\s*POWER_MODEL\s+ID=(\d+)\s+NAME=(\S+)\s*>", conf, re.MULTILINE)
    return tuple((int(number), name) for number, name in found)


def mode_number(status: str) -> int | None:
    """Of "pmode:0002 fmode:quiet", which nvpmodel keeps over a restart."""
    found = re.search(r"pmode:(\d+)", status)
    return int(found.group(1)) if found else None


def read_clock_limits(root: Path = Path("/")) -> list[ClockLimits]:
    """Of the GPU and of every core whose limits can be read."""
    return [*_gpu_limits(root), *_core_limits(root)]


def _gpu_limits(root: Path) -> Iterator[ClockLimits]:
    for device in sorted(root.glob("sys/class/devfreq/*")):
        lowest, highest, now = (_number(device / name) for name in ("min_freq", "max_freq", "cur_freq"))
        if _GPU.search(device.name) and "nvd" not in device.name and lowest is not None and highest is not None:
            yield ClockLimits("GPU", lowest / 1e6, highest / 1e6, None if now is None else now / 1e6)  # Hz


def _core_limits(root: Path) -> Iterator[ClockLimits]:
    for core in sorted(root.glob("sys/devices/system/cpu/cpu[0-9]*")):
        names = ("scaling_min_freq", "scaling_max_freq", "scaling_cur_freq")
        lowest, highest, now = (_number(core / "cpufreq" / name) for name in names)
        if lowest is not None and highest is not None:
            yield ClockLimits(core.name, lowest / 1e3, highest / 1e3, None if now is None else now / 1e3)  # kHz


def _upstream(version: str | None) -> str | None:
    """ "6.2+b77" and "36.4.3-20250107174145" without what the packager added."""
    return re.split(r"[+~-]", version)[0] if version else None


def _text(path: Path) -> str:
    return _bytes(path).decode("utf-8", errors="replace")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _number(path: Path) -> int | None:
    try:
        return int(path.read_bytes())
    except (OSError, ValueError):
        return None
