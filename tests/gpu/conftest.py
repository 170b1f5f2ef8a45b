"""Tests of the backend with real kernels. Each runs twice: on the simulated GPU, where numpy stands for the kernels and
the code is known to run, and on a real one, marked ``gpu`` and skipped where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge_sr.backends.cuda_driver import probe
from edge_sr.backends.trt.gpu import import_pycuda
from edge_sr.errors import EnvironmentFault
from tests.sim.machine import Machine


@pytest.fixture
def real() -> None:
    """Skips where there is no GPU or no PyCUDA."""
    try:
        probe()
        import_pycuda()
    except EnvironmentFault as fault:
        pytest.skip(f"needs an NVIDIA GPU and PyCUDA: {fault.what}")


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    """A GPU that knows the kernels; afterwards nothing was faulty and nothing is left."""
    from tests.gpu.twins import TWINS  # here, since a device may lack the benchmarks and onnx
    from tests.sim.install import install

    machine = Machine()
    machine.kernels = TWINS
    install(monkeypatch, machine)
    yield machine
    assert (machine.faults, machine.leaks()) == ([], [])


@pytest.fixture(params=["simulated", pytest.param("real", marks=pytest.mark.gpu)])
def where(request: pytest.FixtureRequest) -> str:
    """On which kind of GPU the test runs."""
    request.getfixturevalue(request.param)
    return str(request.param)
