from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sr.cli import doctor as module
from edge_sr.cli import group
from edge_sr.cli.doctor import (
    check_bundle,
    check_onnxruntime,
    check_output,
    check_package,
    check_processor,
    check_python,
)
from edge_sr.device.facts import DeviceFacts

BOARD = DeviceFacts("Jetson", "aarch64", "Linux 6.8", None, ("asimddp",), 6, 7802)


def doctor(*args: str) -> Result:
    return CliRunner().invoke(group, ["doctor", *args])


@pytest.mark.parametrize(
    ("version", "status"), [((3, 9), "fault"), ((3, 10), "ok"), ((3, 12), "ok"), ((3, 13), "fault")]
)
def test_python_is_checked_at_both_ends(version: tuple[int, int], status: str) -> None:
    assert check_python(version).status == status


def test_the_range_of_pythons_is_that_of_setup_py() -> None:
    declared = (Path(__file__).resolve().parents[2] / "setup.py").read_text("utf-8")
    lowest, above = (".".join(map(str, version)) for version in module.PYTHONS)
    assert f'python_requires=">={lowest},<{above}"' in declared


def test_a_package_that_is_there_tells_its_version() -> None:
    import numpy

    check = check_package("numpy", "numpy", machine="x86_64")
    assert (check.status, check.found) == ("ok", numpy.__version__)


def test_a_broken_package_is_a_fault_with_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_cv2.py").write_text("raise OSError('libGL.so.1: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    check = check_package("broken_cv2", "broken", machine="x86_64")
    assert check.status == "fault"
    assert "libGL.so.1" in check.found
    assert check.hint == "pip install broken"


def test_on_arm64_opencv_comes_by_apt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    assert "python3-opencv" in check_package("cv2", "opencv-python-headless", machine="aarch64").hint


def test_no_backend_is_a_fault() -> None:
    check = check_onnxruntime(distributions=("no-such-runtime",))
    assert (check.status, check.hint) == ("fault", 'pip install "edge-sr[cpu]"')


@pytest.mark.parametrize(
    ("features", "status", "said"),
    [(("asimddp",), "ok", "asimddp"), ((), "note", "no int8"), (None, "note", "unknown")],
)
def test_a_processor_is_never_a_fault(features: tuple[str, ...] | None, status: str, said: str) -> None:
    check = check_processor(replace(BOARD, cpu_features=features))
    assert check.status == status
    assert said in check.found


def test_a_folder_that_is_no_bundle_is_a_fault(tmp_path: Path) -> None:
    check = check_bundle(tmp_path / "nothing")
    assert check.status == "fault"
    assert check.hint


def test_the_default_bundle_is_sound() -> None:
    assert check_bundle().status == "ok"


def test_an_output_folder_that_is_missing_says_how_to_make_it(tmp_path: Path) -> None:
    check = check_output(tmp_path / "out")
    assert (check.status, check.hint) == ("fault", f"mkdir -p {tmp_path / 'out'}")


def test_an_output_folder_is_left_as_it_was(tmp_path: Path) -> None:
    assert check_output(tmp_path).status == "ok"
    assert list(tmp_path.iterdir()) == []


def test_a_fault_ends_in_exit_code_3_and_says_what_to_type(tmp_path: Path) -> None:
    result = doctor("--output", str(tmp_path / "out"))
    assert result.exit_code == 3
    assert "try: mkdir -p" in result.stdout


def test_json_has_a_schema_version_and_every_check(tmp_path: Path) -> None:
    report = json.loads(doctor("--json", "--output", str(tmp_path / "out")).stdout)
    assert report["schema_version"] == 1
    assert report["ok"] is False
    names = [check["name"] for check in report["checks"]]
    assert {"python", "numpy", "cv2", "PIL", "click", "onnxruntime", "processor", "bundle", "output"} <= set(names)
    assert report["device"]["cores"] >= 1
