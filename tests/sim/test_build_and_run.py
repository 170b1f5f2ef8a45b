"""``edge-sr build`` and ``edge-sr run`` with TensorRT, end to end on the simulator.

It shows that the parts fit together and that the pictures are right; it measures nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the simulator runs engines in ONNX Runtime")

from tests.conftest import RunCli
from tests.old_onnxruntime import rounds_in_fp16
from tests.sim.install import install
from tests.sim.machine import Machine

BUILD = ("build", "--backend", "tensorrt", "--check-phantoms", "1", "--threads", "1")


@pytest.fixture(params=[None, 3], ids=["as late as the rules allow", "in a random order"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine(seed=request.param)
    install(monkeypatch, machine)
    return machine


@pytest.mark.parametrize("precision", ["fp16", pytest.param("int8", marks=rounds_in_fp16)])
def test_an_engine_is_built_checked_and_run(precision: str, machine: Machine, cli: RunCli, chest: Path) -> None:
    built = cli(*BUILD, "--precision", precision)
    assert built.exit_code == 0, built.output
    assert "simulated: no TensorRT was there; nothing above is a measurement" in built.output
    ran = cli("run", chest, "-o", "out", "--backend", "tensorrt")
    assert ran.exit_code == 0, ran.output
    record = json.loads((chest.parent / "out" / "chest_x4.json").read_text())
    assert record["precision"] == precision and "simulated" in record["backend"]
    assert record["lr_rmse"] <= 0.15
    assert machine.leaks() == []


def test_without_asking_for_it_the_simulated_engine_is_not_run(machine: Machine, cli: RunCli, chest: Path) -> None:
    assert cli(*BUILD, "--precision", "fp16").exit_code == 0
    assert cli("run", chest, "-o", "out").exit_code == 0
    assert json.loads((chest.parent / "out" / "chest_x4.json").read_text())["backend"].startswith("onnxruntime")


@pytest.mark.parametrize("machine", [None], indirect=True)
def test_a_damaged_engine_is_not_loaded(machine: Machine, cli: RunCli, chest: Path, engine_cache: Path) -> None:
    assert cli(*BUILD, "--precision", "fp16").exit_code == 0
    [engine] = engine_cache.glob("*/*.engine")
    content = engine.read_bytes()
    engine.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    machine.names.clear()
    ran = cli("run", chest, "-o", "out", "--backend", "tensorrt")
    assert ran.exit_code == 3 and "is not used" in ran.output
    assert "create_execution_context" not in machine.names


def test_without_an_engine_the_command_says_what_to_type(machine: Machine, cli: RunCli, chest: Path) -> None:
    ran = cli("run", chest, "-o", "out", "--backend", "tensorrt", "--precision", "int8")
    assert ran.exit_code == 3
    assert "try: edge-sr build --precision int8" in ran.output
