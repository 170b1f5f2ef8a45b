"""What is asked of the CUDA driver by ctypes, on a stand-in of its library."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import pytest

from edge_sr.backends import cuda_driver
from edge_sr.errors import EnvironmentFault
from tests.sim.libcuda import LibCuda
from tests.sim.machine import Machine


@pytest.fixture
def machine() -> Machine:
    return Machine()


def library(patch: pytest.MonkeyPatch, machine: Machine, **options: Any) -> LibCuda:
    made = LibCuda(machine, **options)
    patch.setattr(cuda_driver, "load_library", lambda: made)
    return made


def test_the_gpu_is_described(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, machine)
    told = cuda_driver.probe()
    assert (told.name, told.cuda, told.integrated) == ("Simulated GPU", "12.6", False)
    assert (told.compute_capability, told.sm_count, told.memory_mib) == ("8.7", 8, 8000)


def test_the_driver_starts_before_anything_else(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = library(monkeypatch, machine)
    cuda_driver.probe()
    assert calls.calls[:2] == ["cuInit", "cuDeviceGetCount"]


@pytest.mark.parametrize(("index", "devices"), [(0, 0), (1, 1), (5, 2)])
def test_a_gpu_that_is_not_there_is_told(
    index: int, devices: int, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    library(monkeypatch, machine, devices=devices)
    with pytest.raises(EnvironmentFault, match=f"CUDA sees {devices} GPUs; expected at least {index + 1}"):
        cuda_driver.probe(index)


@pytest.mark.parametrize("function", ["cuInit", "cuDeviceGetCount", "cuDeviceGetAttribute", "cuDriverGetVersion"])
def test_a_driver_that_fails_is_quoted(function: str, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, machine, fails={function: 100})
    with pytest.raises(EnvironmentFault, match=rf"{function} says 'no CUDA-capable device is detected' \(100\)"):
        cuda_driver.probe()


def test_without_a_driver_there_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_driver, "_LIBRARY", "libcuda-that-is-nowhere.so")
    with pytest.raises(EnvironmentFault, match="(?s)no CUDA driver: .*--backend onnxruntime"):
        cuda_driver.probe()


@pytest.mark.parametrize(("integrated", "free"), [(False, 300), (True, 5000)])
def test_cached_files_count_as_free_where_memory_is_shared(
    integrated: bool, free: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(integrated=integrated, free_mib=300)
    library(monkeypatch, machine)
    monkeypatch.setattr(Path, "read_text", lambda *_: "MemFree: 1 kB\nMemAvailable:    5120000 kB\n")
    assert cuda_driver.free_mib(cuda_driver.probe()) == free


@pytest.mark.parametrize("function", ["cuCtxPushCurrent_v2", "cuMemGetInfo_v2", "cuDevicePrimaryCtxRetain", ""])
def test_asking_for_memory_leaves_no_context(function: str, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, machine)
    device = cuda_driver.probe()
    library(monkeypatch, machine, fails={function: 2} if function else {})
    if function:
        with pytest.raises(EnvironmentFault, match=f"{function} says 'out of memory'"):
            cuda_driver.free_mib(device)
    else:
        assert cuda_driver.free_mib(device) == machine.free_mib
    assert machine.leaks() == []


def test_the_stand_in_takes_what_ctypes_makes() -> None:
    value = ctypes.c_int()
    assert LibCuda(Machine()).cuDriverGetVersion(ctypes.byref(value)) == 0 and value.value == 12060
