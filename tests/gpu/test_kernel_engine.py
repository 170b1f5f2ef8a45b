"""The stand-in engine itself: TensorRT's methods and no others, and kernels that a board's driver can read."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="the stand-in engine is not in the wheel")
pytest.importorskip("onnxruntime", reason="the simulator runs engines in ONNX Runtime")
pytest.importorskip("onnx", reason="the simulator's engines hold ONNX")

from benchmarks import kernel_engine
from benchmarks.kernel_engine import PTX, Network, make_library, open_network
from edge_sr.errors import DeviceLost, EnvironmentFault
from tests.gpu.twins import TWINS
from tests.sim import tensorrt_run
from tests.sim.machine import Machine


@pytest.mark.parametrize("name", ["ICudaEngine", "IExecutionContext", "Runtime"])
def test_it_has_the_methods_that_tensorrt_has(name: str) -> None:
    ours = getattr(kernel_engine, name, None) or make_library(None).Runtime
    theirs = getattr(tensorrt_run.make_module(Machine()), name)  # held against the real bindings in tests/contract
    methods = [name for name, member in vars(ours).items() if inspect.isfunction(member) and name[0] != "_"]
    assert methods
    for method in methods:
        assert [*inspect.signature(getattr(ours, method)).parameters] == [
            *inspect.signature(getattr(theirs, method)).parameters
        ]


def test_the_ptx_has_the_kernels_of_the_source_and_the_twins() -> None:
    source, ptx = PTX.with_suffix(".cu").read_text("utf-8"), PTX.read_text("utf-8")
    kernels = dict(re.findall(r"__global__ void (\w+)\(([^)]*)\)", source))
    entries = dict(re.findall(r"\.visible \.entry (\w+)\(([^)]*)\)", ptx))
    assert list(kernels) == list(entries) == list(TWINS)
    for name, parameters in kernels.items():
        wide = [".param .u64" if "*" in parameter else ".param .u32" for parameter in parameters.split(",")]
        assert re.findall(r"\.param \.u\d\d", entries[name]) == wide


def test_the_ptx_is_old_enough_for_every_board() -> None:
    """PTX 6.4 came with CUDA 10.1, sm_70 is older than any Orin; a GPU's driver reads what is older than itself."""
    ptx = PTX.read_text("utf-8")
    assert ".version 6.4\n" in ptx and ".target sm_70\n" in ptx
    assert "fma" not in ptx  # numpy rounds twice


def test_the_ptx_is_sound() -> None:
    if not (assembler := shutil.which("ptxas")):
        pytest.skip("there is no ptxas, NVIDIA's assembler, on this machine")
    words = [assembler, "-arch=sm_87", "-o", "/dev/null", str(PTX)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_a_gpu_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise EnvironmentFault("no CUDA driver: libcuda.so.1")

    monkeypatch.setattr("edge_sr.backends.cuda_driver.load_library", missing)
    with pytest.raises(EnvironmentFault, match="no CUDA driver"):
        open_network(Network(4, 4), tmp_path / "n")


def test_a_launch_that_fails_is_a_lost_device(simulated: Machine, tmp_path: Path) -> None:
    network = Network(4, 4)
    with open_network(network, tmp_path / "n", graphs=False) as session:
        before = simulated.calls
        session.run(network.feeds(0))
        simulated.lost_at = simulated.calls + simulated.names.index("prepared_async_call", before) - before + 1
        with pytest.raises(DeviceLost, match="the GPU failed: prepared_async_call failed: the launch timed out"):
            session.run(network.feeds(1))
