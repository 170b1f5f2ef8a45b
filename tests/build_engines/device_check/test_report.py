from __future__ import annotations

import json
from pathlib import Path

import pytest

from build_engines.device_check.privacy import Private
from build_engines.device_check.report import Report
from build_engines.device_check.steps import Findings, Result
from edge_sr.errors import EnvironmentFault, UsageError


def report(path: Path, *results: Result, complete: bool = True) -> Report:
    return Report(path, {"bundle": {}}, False, Private("/home/anna", "/data", ()), list(results), complete=complete)


def test_a_report_that_exists_is_not_overwritten_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        report(path).claim(overwrite=False)
    assert path.read_text() == "mine"
    report(path).claim(overwrite=True)
    assert json.loads(path.read_bytes())["schema_version"] == 1


def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no such folder"):
        report(tmp_path / "no" / "a.json").claim(overwrite=False)


def test_a_report_of_a_process_that_died_tells_in_which_step(tmp_path: Path) -> None:
    one = report(tmp_path / "a.json", Result("doctor", "passed"), complete=False)
    one.running = "build-int8"
    one.write()
    read = json.loads((tmp_path / "a.json").read_bytes())
    assert (read["complete"], read["passed"], read["running"]) == (False, False, "build-int8")
    assert [step["name"] for step in read["steps"]] == ["doctor"]


@pytest.mark.parametrize(
    ("status", "passed"), [("passed", True), ("not available", True), ("skipped", True), ("failed", False)]
)
def test_it_passed_where_no_step_failed(tmp_path: Path, status: str, passed: bool) -> None:
    assert report(tmp_path / "a", Result("doctor", "passed"), Result("x", status)).passed is passed


def test_what_json_cannot_hold_is_text(tmp_path: Path) -> None:
    broken = report(tmp_path / "a", Result("x", "failed", findings=Findings({"psnr_db": float("nan"), "s": (1, 2)})))
    (step,) = json.loads(broken.content())["steps"]
    assert step["figures"] == {"psnr_db": "nan", "s": [1, 2]}


def test_errors_lose_their_paths_of_a_home(tmp_path: Path) -> None:
    fault = EnvironmentFault("cannot be read", where="/home/anna/x")
    content = report(tmp_path / "a", Result("x", "failed", str(fault), fault)).content()
    assert b"anna" not in content and b"~/x: cannot be read" in content
