from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sr.cli import group
from tests.doctor.boards import without_driver

BLOCK = "import sys; sys.modules.update(dict.fromkeys({names!r})); from edge_sr.cli import group; group(['doctor'])"


def doctor(*args: str) -> Result:
    return CliRunner().invoke(group, ["doctor", *args])


def without(*names: str) -> subprocess.CompletedProcess[str]:
    """The command in a fresh interpreter where these packages are missing."""
    command = [sys.executable, "-c", BLOCK.format(names=names)]
    return subprocess.run(command, capture_output=True, text=True)


def test_lines_stand_in_groups_and_the_last_one_is_the_verdict(tmp_path: Path) -> None:
    lines = doctor("--output", str(tmp_path)).stdout.splitlines()
    assert [line for line in lines[:-1] if not line.startswith(" ")] == [
        *("software", "machine", "GPU", "model and engines", "disk")
    ]
    assert lines[-1] == "ready"


def test_a_fault_ends_in_exit_code_3_and_says_what_to_type(tmp_path: Path) -> None:
    result = doctor("--output", str(tmp_path / "out"))
    assert result.exit_code == 3
    assert "FAULT output" in result.stdout
    assert f"try: mkdir -p {tmp_path / 'out'}" in result.stdout
    assert result.stdout.endswith("faults: 1\n")


def test_json_has_a_schema_version_and_every_check(tmp_path: Path) -> None:
    result = doctor("--json", "--output", str(tmp_path / "out"))
    report = json.loads(result.stdout)
    assert (report["schema_version"], report["ok"], result.exit_code) == (2, False, 3)
    names = {check["name"] for check in report["checks"]}
    assert {"python", "numpy", "cv2", "PIL", "click", "onnxruntime", "processor", "bundle", "output"} <= names
    assert report["device"]["cores"] >= 1
    assert set(report["checks"][0]) == {"group", "name", "status", "found", "hint"}


def test_it_runs_where_numpy_and_opencv_are_missing() -> None:
    done = without("numpy", "cv2")
    assert done.returncode == 3
    assert "FAULT numpy" in done.stdout and "try: pip install numpy" in done.stdout
    assert "not verified before the packages above are there" in done.stdout
    assert done.stderr == ""


def test_it_runs_where_onnx_runtime_is_missing() -> None:
    done = without("onnxruntime")
    assert done.returncode == 3
    assert "FAULT onnxruntime" in done.stdout
    assert done.stdout.endswith("faults: 1\n")


def test_nothing_can_be_measured_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    without_driver(monkeypatch)
    result = doctor("--measure")
    assert result.exit_code == 3
    assert "try: install the NVIDIA driver" in result.output
