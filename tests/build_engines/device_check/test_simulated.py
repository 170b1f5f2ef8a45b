"""A dry run on the simulated GPU: every step of TensorRT is taken, and nothing can pass for a measurement."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.build_engines.device_check.conftest import Check, by_name, read_report
from tests.sim.install import install
from tests.sim.machine import Machine


@pytest.fixture(params=[(None, False), (3, True)], ids=["as late as the rules allow", "in a random order, integrated"])
def machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Machine:
    seed, integrated = request.param
    machine = Machine(seed, integrated=integrated)
    install(monkeypatch, machine)
    return machine


@pytest.mark.usefixtures("of_tiny")
def test_every_step_of_tensorrt_is_taken_and_says_that_it_is_simulated(check: Check, machine: Machine) -> None:
    result = check("--skip", "build-int8")
    assert result.exit_code == 0, result.output
    report = read_report()
    steps = by_name(report)
    assert report["simulated"] is True and all(step["simulated"] is True for step in report["steps"])
    assert [steps[name]["status"] for name in ("host-memory", "cuda-graph-fp16", "overlap-fp16")] == ["passed"] * 3
    assert steps["cuda-graph-fp16"]["figures"]["state"] == "captured"
    assert steps["overlap-fp16"]["figures"]["copies_hidden"] is None  # the stand-in counts steps and no time
    assert "simulated" in report["machine"]["target"]["backend_version"]
    shown = [line for line in (result.stdout + result.stderr).splitlines() if line]
    assert [line for line in shown if not line.startswith(("SIMULATED", "report: "))] == []
    assert machine.leaks() == [] and machine.faults == []


@pytest.mark.usefixtures("of_tiny")
def test_the_name_of_a_simulated_report_says_so(machine: Machine) -> None:
    from build_engines.device_check.command import default_name

    assert default_name(True).name.startswith("edge-sr-report-SIMULATED-")
    assert "SIMULATED" not in default_name(False).name


@pytest.mark.usefixtures("of_tiny")
def test_a_gpu_that_is_lost_ends_in_a_report(check: Check, monkeypatch: pytest.MonkeyPatch, engine_cache: Path) -> None:
    machine = Machine()
    install(monkeypatch, machine)
    rest = ("--skip", "build-int8", "--skip", "accuracy-fp16", "--skip", "host-memory")
    assert check(*rest).exit_code == 0
    machine.lost_at = machine.calls + 300
    result = check(*rest, "--overwrite")
    assert result.exit_code == 1, result.output
    steps = read_report()["steps"]
    lost = next(step for step in steps if step["status"] == "failed")
    assert lost["error"]["kind"] == "DeviceLost" and lost["error"]["exit_code"] == 71
    after = [step for step in steps[steps.index(lost) + 1 :] if not step["name"].endswith("fp32")]
    assert {step["status"] for step in after} == {"not tried"}
