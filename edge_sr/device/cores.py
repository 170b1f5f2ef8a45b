"""How many threads of arithmetic this process can really run side by side.

What Python and ONNX Runtime count by themselves is the machine's: a process bound to some of its cores, or a container
with a quota, would start more threads than it has processors, and they would wait for each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

CPUS = Path("/sys/devices/system/cpu")
CGROUPS = Path("/sys/fs/cgroup")


def usable_physical_cores() -> int:
    """Cores that this process may run on, two hyper-threads counting as one, and no more than its quota; at least 1."""
    allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    quota = cpu_quota(CGROUPS, _text(Path("/proc/self/cgroup")))
    cores = physical_cores(allowed, CPUS)
    return max(1, cores if quota is None else min(cores, int(quota)))


def physical_cores(allowed: Iterable[int], cpus: Path) -> int:
    """Those that the processors of these numbers belong to; a processor that tells no siblings counts as a core.

    cpus: the folder of cpu0, cpu1 ... (Linux, Documentation/ABI/stable/sysfs-devices-system-cpu).
    """
    siblings = ((n, _text(cpus / f"cpu{n}/topology/thread_siblings_list").strip()) for n in allowed)
    return len({listed or f"only {n}" for n, listed in siblings})


def cpu_quota(cgroups: Path, membership: str) -> float | None:
    """Processors' worth of time that the control groups of this process leave it, the least of all; None for no limit.

    cgroups: where they are mounted. membership: the text of /proc/self/cgroup. Version 2 has cpu.max, version 1 two
    files (Linux, Documentation/admin-guide/cgroup-v2.rst and scheduler/sched-bwc.rst).
    """
    quotas = []
    for line in membership.splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            quotas += [_quota(_text(folder / "cpu.max").split()) for folder in _upwards(cgroups, path)]
        elif "cpu" in controllers.split(","):
            for folder in _upwards(cgroups / "cpu", path):
                files = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
                quotas.append(_quota([_text(folder / name).strip() for name in files]))
    return min((quota for quota in quotas if quota is not None), default=None)


def _upwards(root: Path, path: str) -> list[Path]:
    """The group's folder and those above it. In a container the path may be the host's, and only root is there."""
    folder = root / path.lstrip("/")
    return [folder, *(above for above in folder.parents if above == root or root in above.parents)]


def _quota(words: list[str]) -> float | None:
    """Of microseconds allowed and those of the period they are allowed in; "max" and -1 are no limit."""
    try:
        allowed, period = map(int, words)
    except ValueError:
        return None
    return allowed / period if allowed > 0 and period > 0 else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
