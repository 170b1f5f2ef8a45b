"""``edge-sr doctor`` on the simulator: it finds the engine of a build, measures with it, says what that is worth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the simulator runs engines in ONNX Runtime")

from edge_sr.backends.trt.host_memory import measure_host_memory
from tests.conftest import RunCli
from tests.sim.install import install
from tests.sim.machine import Machine


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(seed=None)
    install(monkeypatch, machine)
    return machine


def test_the_gpu_and_what_runs_on_it(machine: Machine, cli: RunCli) -> None:
    report = json.loads(cli("doctor", "--json").stdout)
    found = {check["name"]: check["found"] for check in report["checks"] if check["group"] == "GPU"}
    assert report["gpu"]["name"] == "Simulated GPU"
    assert found["tensorrt"] == "10.3.0 simulated: no engine of it runs on a GPU"
    assert "simulated" in found["pycuda"]
    assert machine.leaks() == []


def test_an_engine_is_measured_and_the_record_is_shown(
    machine: Machine, cli: RunCli, engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cli("doctor", "--measure")
    assert before.exit_code == 3 and "try: edge-sr build" in before.output
    build = ("build", "--backend", "tensorrt", "--check-phantoms", "1", "--threads", "1", "--precision", "fp16")
    assert cli(*build).exit_code == 0
    monkeypatch.setitem(measure_host_memory.__kwdefaults__, "rounds", 1)
    measured = cli("doctor", "--measure")
    assert measured.output.startswith("host memory: ") and "simulated, not measured" in measured.output
    assert (engine_cache / "host-memory.json").is_file()
    assert "host memory  " in cli("doctor").output
    assert machine.leaks() == []
