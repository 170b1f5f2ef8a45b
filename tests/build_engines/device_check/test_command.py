"""``edge-sr device-check`` from the command line to the report, on ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from build_engines.device_check.steps import Findings, Step
from edge_sr.errors import DeviceLost
from tests.build_engines.device_check.conftest import Check, by_name, read_report

NO_INT8 = ("--skip", "build-int8")  # the tiny bundle has no convolution


@pytest.mark.usefixtures("of_tiny")
def test_every_step_is_in_the_report_and_what_can_be_had_passed(check: Check) -> None:
    result = check(*NO_INT8)
    assert result.exit_code == 0, result.output
    report = read_report()
    steps = by_name(report)
    assert report["complete"] and report["passed"] and not report["simulated"] and report["running"] is None
    measured = ("doctor", "build-fp16", "accuracy-fp16", "latency-fp32", "latency-fp16", "in-turn", "overlap-fp16")
    assert [steps[name]["status"] for name in (*measured, "growth-fp16", "picture")] == ["passed"] * 9
    assert steps["build-int8"]["status"] == "skipped"
    assert steps["latency-int8"]["reason"] == "there is no int8 engine; see build-int8"
    assert steps["cuda-graph-fp16"]["reason"] == steps["host-memory"]["reason"] == "of TensorRT alone"
    assert steps["overlap-fp16"]["figures"]["bit_equal"] is True
    assert "# edge-sr device-check: passed" in result.stdout and "SIMULATED" not in result.output


def test_the_bundle_that_ships_gets_both_engines_checked(check: Check, engine_cache: Path) -> None:
    unwanted = [name for name in STEPS if not name.startswith(("build", "accuracy", "in-turn"))]
    result = check(*(word for name in unwanted for word in ("--skip", name)))
    assert result.exit_code == 0, result.output
    steps = by_name(read_report())
    assert all(steps[f"accuracy-{one}"]["figures"]["rows"][0]["psnr_db"] >= 48 for one in ("fp16", "int8"))
    assert set(steps["in-turn"]["figures"]["times_as_fast"]) == {"fp16", "int8"}
    assert steps["build-int8"]["figures"]["manifest"]["verdict"]["passed"] is True
    published = {path.name for path in engine_cache.iterdir()}  # useful afterwards: edge-sr run takes them
    assert {steps[f"build-{one}"]["figures"]["engine"] for one in ("fp16", "int8")} <= published


@pytest.mark.usefixtures("of_tiny")
def test_engines_that_are_there_are_taken_unless_new_ones_are_wanted(check: Check) -> None:
    rest = [word for name in STEPS if name != "build-fp16" for word in ("--skip", name)]
    fresh = []
    for words in ((), ("--overwrite",), ("--overwrite", "--rebuild")):
        assert check(*rest, *words).exit_code == 0
        fresh.append(by_name(read_report())["build-fp16"]["figures"]["fresh"])
    assert fresh == [True, False, True]


@pytest.mark.usefixtures("of_tiny")
def test_a_report_that_exists_is_left_alone_before_any_work(check: Check, engine_cache: Path) -> None:
    Path("report.json").write_text("mine")
    result = check()
    assert result.exit_code == 2 and "--overwrite" in result.stderr
    assert Path("report.json").read_text() == "mine"
    assert not any(engine_cache.iterdir())


def test_a_step_that_does_not_exist_cannot_be_skipped(check: Check) -> None:
    result = check("--skip", "latency")
    assert result.exit_code == 2 and "latency-int8" in result.stderr
    assert not Path("report.json").exists()


def planted(monkeypatch: pytest.MonkeyPatch, *steps: Step) -> None:
    from build_engines.device_check import command

    monkeypatch.setattr(command, "steps_of", lambda *arguments, **options: list(steps))


def fails_with(error: BaseException) -> Any:
    def measure() -> Findings:
        raise error

    return measure


@pytest.mark.usefixtures("of_tiny")
def test_a_failing_step_is_named_and_the_exit_code_says_so(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, Step("a", fails_with(DeviceLost("gone"))), Step("b", Findings), Step("c", Findings, 0, False))
    result = check()
    assert result.exit_code == 1
    assert "device-check: FAILED" in result.stdout and "FAILED: a: gone" in result.stdout
    assert [step["status"] for step in read_report()["steps"]] == ["failed", "not tried", "passed"]


@pytest.mark.usefixtures("of_tiny")
def test_an_interrupt_leaves_a_report_of_what_was_found(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    planted(monkeypatch, Step("a", Findings), Step("b", fails_with(KeyboardInterrupt())), Step("c", Findings))
    result = check()
    assert result.exit_code == 130 and "device-check: interrupted" in result.stdout
    report = read_report()
    assert not report["complete"]
    assert [step["status"] for step in report["steps"]] == ["passed", "interrupted", "not tried"]


@pytest.mark.usefixtures("of_tiny")
def test_the_report_on_disk_names_the_step_that_is_under_way(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[dict[str, Any]] = []

    def look() -> Findings:
        found.append(read_report())
        return Findings()

    planted(monkeypatch, Step("a", Findings), Step("b", look))
    assert check().exit_code == 0
    (report,) = found
    assert (report["running"], report["complete"]) == ("b", False)
    assert [step["name"] for step in report["steps"]] == ["a"]


@pytest.mark.usefixtures("of_tiny")
def test_where_there_is_no_gpu_the_report_says_why_tensorrt_is_not_used(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(monkeypatch)
    result = check()
    assert "TensorRT is not used: no CUDA driver" in result.stdout
    assert read_report()["no_tensorrt"].startswith("no CUDA driver")
    assert check("--overwrite", "--backend", "tensorrt").exit_code == 3


@pytest.mark.usefixtures("of_tiny")
def test_the_report_names_neither_user_nor_home(check: Check, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "bernadette")
    monkeypatch.setenv("HOME", "/home/bernadette")
    planted(monkeypatch, Step("a", fails_with(OSError("/home/bernadette/x and bernadette"))))
    check()
    assert "bernadette" not in Path("report.json").read_text()
    assert "~/x and <name>" in by_name(read_report())["a"]["error"]["message"]


STEPS = (
    "doctor",
    *(f"{name}-{one}" for name in ("build", "accuracy") for one in ("fp16", "int8")),
    "host-memory",
    "latency-fp32",
    *("latency-fp16", "latency-int8", "in-turn"),
    *(f"{name}-{one}" for name in ("overlap", "cuda-graph", "growth", "power") for one in ("fp16", "int8")),
    "picture",
)
