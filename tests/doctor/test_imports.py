from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_sr.doctor.imports import Imported, import_in_child, try_import


def package(folder: Path, name: str, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that this process and its children find."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(source)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))


def test_what_is_not_installed_costs_no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pycuda", None)
    assert try_import("pycuda") == Imported(found=False)


def test_a_tensorrt_tells_version_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "tensorrt", "__version__ = '10.3.0'", monkeypatch)
    found = try_import("tensorrt")
    assert (found.works, found.version, found.library) == (True, "10.3.0", "")
    assert found.file == str(tmp_path / "tensorrt" / "__init__.py")


def test_an_import_that_fails_tells_its_last_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package(tmp_path, "tensorrt", "raise ImportError('libnvinfer.so.10: cannot open')", monkeypatch)
    found = try_import("tensorrt")
    assert found.found and not found.works
    assert found.error == "ImportError: libnvinfer.so.10: cannot open"


def test_an_import_that_crashes_leaves_this_process_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    crash = "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)"
    package(tmp_path, "tensorrt", crash, monkeypatch)
    assert try_import("tensorrt").error == "the import crashes (SIGSEGV)"


def test_an_import_that_hangs_is_given_up() -> None:
    assert "did not end within 0.2 s" in import_in_child("import time; time.sleep(60)", patience_s=0.2).error


def test_what_a_package_prints_beside_does_not_confuse() -> None:
    assert import_in_child("print('hello'); print('{\"version\": \"1.2\"}')") == Imported(version="1.2")
