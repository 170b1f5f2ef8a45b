"""File systems and surroundings of machines that the tests have not: Orins with JetPack 6.2 and 7.2, and others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.backends import cuda_driver
from edge_sr.backends.cuda_driver import CudaDevice
from edge_sr.device.facts import DeviceFacts, read_facts
from edge_sr.device.jetson import read_jetson
from edge_sr.device.power.ina3221 import Ina3221
from edge_sr.device.power.meter import Meter, MeterFault
from edge_sr.doctor.check import Check
from edge_sr.doctor.imports import Imported
from edge_sr.doctor.surroundings import Surroundings
from edge_sr.errors import EnvironmentFault
from tests.device.power.stand_ins import agx_orin as agx_rails
from tests.device.power.stand_ins import orin_nano as nano_rails
from tests.device.power.stand_ins import write_tree

CORE = "processor\t: 0\nFeatures\t: fp asimd fphp asimdhp asimddp\n"
NO_DRIVER = EnvironmentFault("no CUDA driver: libcuda.so.1: cannot open", hint="install the NVIDIA driver")
NANO_MODES = {0: "15W", 1: "25W", 2: "MAXN_SUPER"}
AGX_MODES = {0: "MAXN", 1: "15W", 2: "30W", 3: "50W"}
WHOLE = {"onnxruntime": "1.31.1", "onnx": "1.23.2", "onnx-graphsurgeon": "0.6.1", "polygraphy": "0.53.6"}


def release(major: int, revision: str) -> str:
    """As in jetson_stats issue 791 for 36.4.7."""
    line = (
        f"# R{major} (release), REVISION: {revision}, GCID: 42132812, BOARD: generic, EABI: aarch64, DATE: Thu Sep 18"
    )
    return f"{line}\n# KERNEL_VARIANT: oot"


def dpkg(**packages: str) -> str:
    paragraphs = (
        f"Package: {name.replace('_', '-')}\nStatus: install ok installed\nArchitecture: arm64\nVersion: {version}\n"
        for name, version in {"adduser": "3.118", **packages}.items()
    )
    return "\n".join(paragraphs)


def device_tree(root: Path, model: str, *compatible: str) -> None:
    """Strings there end in NUL and in nothing else."""
    folder = root / "proc/device-tree"
    folder.mkdir(parents=True)
    (folder / "model").write_text(f"{model}\0")
    (folder / "compatible").write_text("".join(f"{name}\0" for name in compatible))


def orin(root: Path, model: str, *, chip: str = "tegra234", modes: Mapping[int, str] = NANO_MODES) -> Path:
    """What Orins of both JetPacks have in common."""
    conf = "\n".join(f"< POWER_MODEL ID={number} NAME={name} >\nCPU_ONLINE CORE_0 1" for number, name in modes.items())
    files = {
        "proc/cpuinfo": CORE * 6,
        "proc/meminfo": "MemTotal:        7990000 kB\nMemAvailable:    5120000 kB",
        "etc/nvpmodel.conf": f"# comment\n{conf}\n< PM_CONFIG DEFAULT=0 >",
        "var/lib/nvpmodel/status": "pmode:0000 fmode:quiet",
        "sys/class/thermal/thermal_zone0/type": "tj-thermal",
        "sys/class/thermal/thermal_zone0/temp": 48_800,
        "dev/nvmap": "",
        "dev/nvhost-ctrl-gpu": "",
        "dev/dri/renderD128": "",
    }
    device_tree(root, model, "nvidia,p3768-0000+p3767-0005", "nvidia,p3767-0005", f"nvidia,{chip}")
    return clocks(write_tree(root, files), lowest=(306_000_000, 729_600), highest=(1_020_000_000, 1_728_000))


def clocks(root: Path, *, lowest: tuple[int, int], highest: tuple[int, int]) -> Path:
    """(Hz of the GPU, kHz of the cores), as the kernel writes them."""
    files: dict[str, object] = {}
    for name, hz in (("min", lowest[0]), ("max", highest[0]), ("cur", lowest[0])):
        files[f"sys/class/devfreq/17000000.gpu/{name}_freq"] = hz
        files[f"sys/class/devfreq/15340000.vic/{name}_freq"] = 115_200_000
    for core in range(2):
        for name, khz in (("min", lowest[1]), ("max", highest[1]), ("cur", lowest[1])):
            files[f"sys/devices/system/cpu/cpu{core}/cpufreq/scaling_{name}_freq"] = khz
    return write_tree(root, files)


def orin_nano_jp6(root: Path) -> Path:
    packages = dpkg(nvidia_l4t_core="36.4.3-20250107174145", nvidia_jetpack="6.2+b77")
    orin(root, "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super")
    toolkit = '{"cuda": {"name": "CUDA SDK", "version": "12.6.11"}}'
    files = {"etc/nv_tegra_release": release(36, "4.3"), "var/lib/dpkg/status": packages}
    return nano_rails(write_tree(root, {**files, "usr/local/cuda/version.json": toolkit}))


def orin_nx_jp7(root: Path) -> Path:
    orin(root, "NVIDIA Jetson Orin NX Engineering Reference Developer Kit")
    toolkit = '{"cuda": {"name": "CUDA SDK", "version": "13.2.1"}}'
    return nano_rails(
        write_tree(root, {"etc/nv_tegra_release": release(39, "2.0"), "usr/local/cuda/version.json": toolkit})
    )


def agx_orin_jp6(root: Path) -> Path:
    orin(root, "NVIDIA Jetson AGX Orin Developer Kit", modes=AGX_MODES)
    return agx_rails(write_tree(root, {"etc/nv_tegra_release": release(36, "4.7")}))


def first_nano(root: Path) -> Path:
    orin(root, "NVIDIA Jetson Nano Developer Kit", chip="tegra210", modes={0: "MAXN", 1: "5W"})
    return write_tree(root, {"etc/nv_tegra_release": release(32, "7.1")})


def arm_box(root: Path) -> Path:
    """A Raspberry Pi or the like: arm64, and nothing of NVIDIA's."""
    files = {
        "proc/cpuinfo": CORE * 4,
        "proc/meminfo": "MemTotal: 8000000 kB\nMemAvailable: 6000000 kB",
        "dev/dri/renderD128": "",
    }
    device_tree(root, "Raspberry Pi 5 Model B Rev 1.0", "raspberrypi,5-model-b", "brcm,bcm2712")
    return write_tree(root, files)


def laptop(root: Path) -> Path:
    cpuinfo = "processor\t: 0\nmodel name\t: A processor\nflags\t\t: avx2 avx512_vnni\n"
    meminfo = "MemTotal: 16000000 kB\nMemAvailable: 9000000 kB"
    return write_tree(root, {"proc/cpuinfo": cpuinfo, "proc/meminfo": meminfo, "dev/dri/renderD128": ""})


def orin_gpu(cuda: str = "12.6") -> CudaDevice:
    return CudaDevice("Orin", cuda, integrated=True, compute_capability="8.7", sm_count=8, memory_mib=7802)


PC_GPU = CudaDevice("GeForce", "12.6", integrated=False, compute_capability="8.9", sm_count=60, memory_mib=16_000)


def without_driver(patch: pytest.MonkeyPatch) -> None:
    """As on a machine without NVIDIA's driver, also where there is one."""

    def refuse() -> object:
        raise NO_DRIVER

    patch.setattr(cuda_driver, "load_library", refuse)


def missing_jtop() -> Meter:
    raise MeterFault("the package jetson-stats is not installed", hint="pip install jetson-stats")


def surroundings(
    root: Path, *, gpu: CudaDevice | None = None, versions: Mapping[str, str] = WHOLE, **imported: Imported
) -> Surroundings:
    """imported: by package, what its import in a child would tell; the others are not installed."""
    jetson = read_jetson(root)
    facts: DeviceFacts = replace(read_facts(root), machine="x86_64" if "model name" in _cpu(root) else "aarch64")
    return Surroundings(
        facts,
        jetson,
        gpu,
        None if gpu else NO_DRIVER,
        output=root,
        root=root,
        version_of=versions.get,
        try_import=lambda package: imported.get(package, Imported(found=False)),
        meters={"jtop": missing_jtop, "ina3221": lambda: Ina3221(root)},
        now_s=lambda: 1_795_000_000.0,
    )


def _cpu(root: Path) -> str:
    return (root / "proc/cpuinfo").read_text()


def one(checks: object, name: str) -> Check:
    """The check of that name."""
    found = [check for check in checks if check.name == name]  # type: ignore[attr-defined]
    assert len(found) == 1, [check.name for check in found]
    return found[0]
