"""Cores are counted as they may be used: siblings, affinity, and quotas of control groups of both versions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edge_sr.device import cores
from edge_sr.device.cores import cpu_quota, physical_cores, usable_physical_cores

BOTH = "5:cpu,cpuacct:/docker/a\n0::/user.slice/session.scope\n"


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def cpus(tmp_path: Path) -> Path:
    """Two cores of two threads, then four that tell no siblings, as on an Orin."""
    for n, listed in enumerate(("0,2", "1,3", "0,2", "1,3")):
        written(tmp_path / f"cpu{n}/topology/thread_siblings_list", f"{listed}\n")
    return tmp_path


@pytest.mark.parametrize(("allowed", "count"), [(range(4), 2), ([0, 2], 1), ([1], 1), (range(8), 6), ([4, 5], 2)])
def test_two_threads_of_a_core_count_once(cpus: Path, allowed: range, count: int) -> None:
    assert physical_cores(allowed, cpus) == count


@pytest.mark.parametrize(
    ("files", "quota"),
    [
        ({}, None),
        ({"user.slice/session.scope/cpu.max": "max 100000"}, None),
        ({"user.slice/session.scope/cpu.max": "250000 100000"}, 2.5),
        ({"user.slice/session.scope/cpu.max": "400000 100000", "user.slice/cpu.max": "100000 100000"}, 1.0),
        ({"cpu.max": "300000 100000"}, 3.0),  # the group's own folder is not there: the path is the host's
        ({"cpu/docker/a/cpu.cfs_quota_us": "-1", "cpu/docker/a/cpu.cfs_period_us": "100000"}, None),
        ({"cpu/docker/a/cpu.cfs_quota_us": "50000", "cpu/docker/a/cpu.cfs_period_us": "100000"}, 0.5),
        ({"user.slice/cpu.max": "rubbish"}, None),
    ],
)
def test_the_least_quota_of_all_groups_holds(tmp_path: Path, files: dict[str, str], quota: float | None) -> None:
    for name, text in files.items():
        written(tmp_path / name, f"{text}\n")
    assert cpu_quota(tmp_path, BOTH) == quota


@pytest.mark.parametrize(("quota", "count"), [(None, 6), (2.5, 2), (0.5, 1), (99.0, 6)])
def test_a_quota_bounds_the_cores(monkeypatch: pytest.MonkeyPatch, quota: float | None, count: int) -> None:
    monkeypatch.setattr(cores, "cpu_quota", lambda *where: quota)
    monkeypatch.setattr(cores, "physical_cores", lambda *where: 6)
    assert usable_physical_cores() == count


def test_this_machine_has_no_more_than_it_may_use() -> None:
    assert 1 <= usable_physical_cores() <= (os.cpu_count() or 1)
