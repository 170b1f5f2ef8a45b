from __future__ import annotations

import sys

import pytest

from edge_sr.backends.here import machines_here


def test_onnxruntime_is_here_with_its_version_and_the_processor() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    machine = machines_here()["onnxruntime"]
    assert machine.backend_version == onnxruntime.__version__
    assert machine.device and machine.compute_capability == ""


def test_a_backend_that_is_not_installed_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "onnxruntime" not in machines_here()
