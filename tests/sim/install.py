"""Puts a simulated machine where the code looks for CUDA, PyCUDA, cuda-python and TensorRT."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from edge_sr.backends import cuda_driver
from tests.sim import cuda_bindings_driver, pycuda_driver, tensorrt_run
from tests.sim.libcuda import LibCuda
from tests.sim.machine import Machine


def install(patch: pytest.MonkeyPatch, machine: Machine, *, version: str = "10.3.0", cuda_python: bool = True) -> None:
    """version: of TensorRT. cuda_python: whether it is there, which the backend can do without."""
    driver = pycuda_driver.make_module(machine)
    bindings = cuda_bindings_driver.make_module(machine) if cuda_python else None
    patch.setitem(sys.modules, "tensorrt", tensorrt_run.make_module(machine, version))
    patch.setitem(sys.modules, "pycuda", _package("pycuda", driver=driver))
    patch.setitem(sys.modules, "pycuda.driver", driver)
    patch.setitem(sys.modules, "cuda", _package("cuda"))
    patch.setitem(sys.modules, "cuda.bindings", _package("cuda.bindings", driver=bindings) if bindings else None)  # type: ignore[arg-type]
    patch.setitem(sys.modules, "cuda.bindings.driver", bindings)  # type: ignore[arg-type]
    patch.setattr(cuda_driver, "load_library", lambda: LibCuda(machine))


def _package(name: str, **members: Any) -> ModuleType:
    package = ModuleType(name)
    package.__path__ = []
    for member, value in members.items():
        setattr(package, member, value)
    return package
