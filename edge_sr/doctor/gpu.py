"""The GPU: its driver, who may open its devices, and the CUDA toolkit. Without one all of it is a single line."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from edge_sr.doctor import gpu_packages
from edge_sr.doctor.check import Check, mebibytes
from edge_sr.doctor.surroundings import Surroundings
from edge_sr.errors import EnvironmentFault

# What CUDA opens on a Jetson. On JetPack 6 nvmap is root:video 0440 and the render node root:render, so a user needs
# both groups (NVIDIA's Jetson container guide; NemoClaw issues 4231 and 7610).
JETSON_NODES = (
    *("dev/nvmap", "dev/nvhost-ctrl", "dev/nvhost-ctrl-gpu", "dev/nvhost-gpu", "dev/nvhost-as-gpu"),
    *("dev/nvgpu/*/ctrl", "dev/dri/renderD*"),
)
PC_NODES = ("dev/nvidiactl", "dev/nvidia[0-9]*", "dev/nvidia-uvm")


def checks(here: Surroundings) -> Iterator[Check]:
    if not here.has_gpu:
        yield Check("gpu", "absent", "no NVIDIA GPU: the processor does the work")
        return
    if here.jetson is not None and here.board is None:
        yield Check("gpu", "absent", "not looked at: the board is not supported")
        return
    yield check_driver(here)
    yield from check_devices(here)
    yield check_toolkit(here)
    yield from gpu_packages.checks(here)


def check_driver(here: Surroundings) -> Check:
    gpu = here.gpu
    if gpu is not None:
        kind = "shares the processor's memory" if gpu.integrated else "memory of its own"
        found = f"{gpu.name}, sm_{gpu.compute_capability.replace('.', '')}, {gpu.sm_count} SM"
        return Check("driver", "ok", f"{found}, {mebibytes(gpu.memory_mib)} ({kind}), CUDA {gpu.cuda}")
    assert here.gpu_fault is not None, "one of the two is set"
    return Check("driver", here.lacking, here.gpu_fault.what, _driver_cure(here, here.gpu_fault))


def _driver_cure(here: Surroundings, fault: EnvironmentFault) -> str:
    if "no CUDA driver" not in fault.what:  # it is there and does not start: closed devices are the usual reason
        return _open_to_me(closed_devices(here)) or fault.hint
    if (here.root / ".dockerenv").exists():
        return "docker run --runtime nvidia ... (the container was started without its GPU)"
    if here.jetson is not None:
        package = "nvidia-l4t-cuda" if here.jetson.l4t_major == 36 else "nvidia-jetpack"
        return f"sudo apt-get install --reinstall {package}"
    return fault.hint


def closed_devices(here: Surroundings) -> list[Path]:
    """Those that this user may not open; CUDA then says that there is no GPU, or nothing of use."""
    return [path for path in _devices(here) if not os.access(path, os.R_OK)]


def _devices(here: Surroundings) -> list[Path]:
    patterns = PC_NODES if here.jetson is None else JETSON_NODES + PC_NODES
    return [path for pattern in patterns for path in sorted(here.root.glob(pattern))]


def check_devices(here: Surroundings) -> Iterator[Check]:
    if closed := closed_devices(here):
        names = ", ".join(f"/{path.relative_to(here.root)}" for path in closed)
        groups = _groups(closed)
        found = f"{names} closed to user {_user()}" + (f", open to {' and '.join(groups)}" if groups else "")
        yield Check("devices", here.lacking, found, _open_to_me(closed) or f"ls -l {names}")
    elif here.jetson is not None and (number := len(_devices(here))):
        yield Check("devices", "ok", f"{number} device files can be opened")


def _open_to_me(closed: Sequence[Path]) -> str:
    """The command, "" where no group would help."""
    groups = _groups(closed)
    return f"sudo usermod -aG {','.join(groups)} {_user()} (then log in again)" if groups else ""


def _groups(closed: Sequence[Path]) -> list[str]:
    return sorted({group for path in closed if (group := group_that_may(path.stat()))})


def group_that_may(status: os.stat_result) -> str:
    """Name of the group to which the device is open, "" where no group would help."""
    if not status.st_mode & stat.S_IRGRP or status.st_gid == 0:
        return ""
    import grp

    try:
        return grp.getgrgid(status.st_gid).gr_name
    except KeyError:
        return str(status.st_gid)


def _user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def check_toolkit(here: Surroundings) -> Check:
    """Only PyCUDA's compilation needs it."""
    version = toolkit_version(here)
    if version is None:
        return Check("toolkit", "absent", "no CUDA toolkit; only compiling PyCUDA needs one")
    if here.gpu is not None and _numbers(version)[:1] > _numbers(here.gpu.cuda)[:1]:
        found = f"CUDA {version}, the driver knows up to {here.gpu.cuda}: what it compiles does not run here"
        hint = f"sudo apt-get install cuda-nvcc-{here.gpu.cuda.replace('.', '-')}"
        return Check("toolkit", "note", found, hint)
    return Check("toolkit", "ok", f"CUDA {version}")


def toolkit_version(here: Surroundings) -> str | None:
    """Of /usr/local/cuda, where NVIDIA's packages put it."""
    try:
        whole = json.loads(here.text("usr/local/cuda/version.json"))
        return str(whole["cuda"]["version"])
    except (ValueError, KeyError, TypeError):
        pass
    header = re.search(r"^#define CUDA_VERSION (\d+)", here.text("usr/local/cuda/include/cuda.h"), re.MULTILINE)
    return f"{int(header.group(1)) // 1000}.{int(header.group(1)) % 1000 // 10}" if header else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])
