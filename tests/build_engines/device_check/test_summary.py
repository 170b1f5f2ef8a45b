from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from build_engines.device_check.privacy import Private
from build_engines.device_check.report import Report
from build_engines.device_check.steps import Findings, Result
from build_engines.device_check.summary import summary

MACHINE: dict[str, Any] = {
    **{"board": "Jetson Orin Nano", "cpu_model": None, "machine": "aarch64", "cores": 6, "memory_mib": 7620},
    **{"power_mode": "25W", "load_average": 0.1},
    "target": {"backend": "tensorrt", "backend_version": "10.3.0, CUDA 12.6", "device": "Orin"},
}
HEAD = {"machine": MACHINE, "bundle": {"name": "b", "version": "1", "chain": "ddim, 1 step"}, "no_tensorrt": None}
LATENCY = Result(
    "latency-int8",
    "passed",
    findings=Findings({"first_call_ms": 90.1, "p50_ms": 1.234, "p90_ms": 1.5, "p99_ms": None}),
)


def lines(*results: Result, simulated: bool = False, **machine: object) -> list[str]:
    head = {**HEAD, "machine": {**MACHINE, **machine}}
    report = Report(Path("a"), head, simulated, Private("", "", ()), list(results), complete=True, seconds=90)
    return list(summary(report))


def test_what_was_measured_stands_in_the_row_of_its_engine_and_the_rest_is_a_dash() -> None:
    (row,) = (line for line in lines(LATENCY) if line.startswith("| int8"))
    assert row.replace(" ", "").split("|")[1:-1] == ["int8", "-", "90.1", "1.23", "1.50", "-", "-", "-", "-", "-"]


def test_every_line_of_a_simulated_run_says_so() -> None:
    shown = lines(LATENCY, simulated=True)
    assert all(line.startswith("SIMULATED ") for line in shown)
    assert "SIMULATED no GPU and no TensorRT were there. Nothing here is a measurement." in shown


def test_steps_that_did_not_pass_are_named_those_of_one_reason_together() -> None:
    power = [Result(f"power-{one}", "not available", "no meter") for one in ("fp16", "int8")]
    shown = lines(Result("growth-fp16", "failed", "it grew"), *power)
    assert shown[0] == "# edge-sr device-check: FAILED"
    assert "FAILED: growth-fp16: it grew" in shown and "not available: power-fp16, power-int8: no meter" in shown


@pytest.mark.parametrize(
    ("machine", "result", "said"),
    [
        ({"load_average": 3.0}, LATENCY, "busy: the load was 3.0"),
        ({}, replace(LATENCY, throttling=["oc1", "cpu 3"]), "degraded: clocks were held down (oc1, cpu 3)"),
        ({"power_mode": None}, LATENCY, "power mode: not available"),
    ],
)
def test_what_spoils_the_figures_is_said(machine: dict[str, Any], result: Result, said: str) -> None:
    assert any(line.startswith(said) for line in lines(result, **machine))


def test_on_a_quiet_cool_machine_nothing_of_that_is_said() -> None:
    assert not [line for line in lines(LATENCY) if line.startswith(("busy", "degraded", "FAILED"))]
