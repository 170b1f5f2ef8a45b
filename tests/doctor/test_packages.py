from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_sr.doctor import packages
from edge_sr.doctor.surroundings import Surroundings
from tests.doctor import boards
from tests.doctor.boards import surroundings


@pytest.fixture
def here(tmp_path: Path) -> Surroundings:
    return surroundings(boards.laptop(tmp_path / "laptop"))


@pytest.fixture
def orin(tmp_path: Path) -> Surroundings:
    return surroundings(boards.orin_nano_jp6(tmp_path / "orin"))


@pytest.mark.parametrize(
    ("version", "status"), [((3, 9), "fault"), ((3, 10), "ok"), ((3, 12), "ok"), ((3, 13), "fault")]
)
def test_python_is_checked_at_both_ends(version: tuple[int, int], status: str) -> None:
    assert packages.check_python(version).status == status


def test_the_range_of_pythons_is_that_of_setup_py() -> None:
    declared = (Path(__file__).resolve().parents[2] / "setup.py").read_text("utf-8")
    lowest, above = (".".join(map(str, version)) for version in packages.PYTHONS)
    assert f'python_requires=">={lowest},<{above}"' in declared


def test_a_package_that_is_there_tells_its_version(here: Surroundings) -> None:
    import numpy

    check = packages.check_package("numpy", "numpy", here)
    assert (check.status, check.found) == ("ok", numpy.__version__)


def test_a_broken_package_is_a_fault_with_its_reason(
    here: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken_cv2.py").write_text("print('noise')\nraise OSError('libGL.so.1: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    check = packages.check_package("broken_cv2", "broken", here)
    assert check.status == "fault"
    assert "libGL.so.1" in check.found
    assert check.hint == "pip install broken"
    assert capsys.readouterr().out == ""  # it would stand in the JSON


def test_on_arm64_opencv_comes_by_apt(orin: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    assert "python3-opencv" in packages.check_package("cv2", "opencv-python-headless", orin).hint


def test_what_lacks_numpy_is_cured_by_numpy(
    here: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "needs_numpy.py").write_text("raise ModuleNotFoundError('no', name='numpy')")
    monkeypatch.syspath_prepend(tmp_path)
    assert packages.check_package("needs_numpy", "other", here).hint == "pip install numpy"


def test_ubuntu_s_opencv_beside_numpy_2(orin: Surroundings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "old_cv2.py").write_text("raise ImportError('numpy.core.multiarray failed to import')")
    monkeypatch.syspath_prepend(tmp_path)
    check = packages.check_package("old_cv2", "opencv-python-headless", orin)
    assert (check.status, check.hint) == ("fault", 'pip install "numpy<2"')


def with_versions(here_root: Path, **versions: str) -> Surroundings:
    return surroundings(here_root, versions={name.replace("_", "-"): version for name, version in versions.items()})


def test_no_backend_is_a_fault(here: Surroundings) -> None:
    check = packages.check_onnxruntime(with_versions(here.root))
    assert (check.status, check.hint) == ("fault", 'pip install "edge-sr[cpu]"')


def test_both_onnx_runtimes_lie_over_each_other(here: Surroundings) -> None:
    check = packages.check_onnxruntime(with_versions(here.root, onnxruntime="1.31.1", onnxruntime_gpu="1.31.0"))
    assert check.status == "note"
    assert check.hint.startswith("pip uninstall -y onnxruntime onnxruntime-gpu && ")


def test_an_onnx_runtime_whose_folder_another_took_along(here: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    check = packages.check_onnxruntime(with_versions(here.root, onnxruntime_gpu="1.31.1"))
    assert check.status == "fault"
    assert check.hint == "pip install --force-reinstall --no-deps onnxruntime-gpu==1.31.1"


@pytest.mark.parametrize(
    ("version", "python", "status", "hint"),
    [
        ("1.30.0", (3, 12), "ok", ""),
        ("1.31.1", (3, 10), "ok", ""),
        ("1.24.4", (3, 12), "note", 'pip install --upgrade "onnxruntime>=1.30"'),
        ("1.23.2", (3, 10), "note", ""),
    ],
)
def test_an_onnx_runtime_that_truncates(
    version: str, python: tuple[int, int], status: str, hint: str, here: Surroundings
) -> None:
    pytest.importorskip("onnxruntime")
    check = packages.check_onnxruntime(with_versions(here.root, onnxruntime=version), python)
    assert (check.status, check.hint) == (status, hint)
    assert ("truncates" in check.found) == (status == "note")


def test_what_a_build_needs(here: Surroundings) -> None:
    assert packages.check_build_extra(here).status == "ok"
    check = packages.check_build_extra(with_versions(here.root, onnx="1.23.2"))
    assert (check.status, check.hint) == ("note", 'pip install "edge-sr[build]"')
    assert "onnx-graphsurgeon, polygraphy" in check.found


def environment(folder: Path, sees: str) -> Path:
    folder.mkdir()
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = {sees}\nversion = 3.10.12\n")
    return folder


def test_an_environment_must_see_apt_s_packages(orin: Surroundings, tmp_path: Path) -> None:
    sound = packages.check_environment(orin, environment(tmp_path / "a", "true"), (3, 10))
    assert sound.status == "ok"
    blind = packages.check_environment(orin, environment(tmp_path / "b", "false"), (3, 10))
    assert blind.status == "fault"
    assert blind.hint == f"/usr/bin/python3 -m venv --system-site-packages {tmp_path / 'b'}"
    assert packages.check_environment(orin, tmp_path / "no-venv", (3, 10)).status == "ok"


def test_apt_s_tensorrt_is_for_the_system_s_python(orin: Surroundings, tmp_path: Path) -> None:
    (orin.root / "usr/bin").mkdir(parents=True)
    (orin.root / "usr/bin/python3").symlink_to("python3.10")
    folder = environment(tmp_path / "a", "true")
    assert packages.check_environment(orin, folder, (3, 10)).status == "ok"
    other = packages.check_environment(orin, folder, (3, 11))
    assert other.status == "fault"
    assert "for 3.10" in other.found and "--clear" in other.hint


def test_elsewhere_nobody_asks_for_the_environment(here: Surroundings) -> None:
    assert "environment" not in [check.name for check in packages.checks(here)]
