"""``edge-sr device-check`` in this process, with the shortest steps that there can be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines import candidate
from build_engines.check import pictures
from build_engines.device_check import command, gpu_choices, growth, latency, overlap
from edge_sr.artifacts.bundle import Bundle
from edge_sr.cli.lazy_group import LazyGroup

Check = Callable[..., Result]
TABLE = {"device-check": ("build_engines.device_check.command:device_check", "Measure this machine.")}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few calls each, and one picture to check on."""
    monkeypatch.setattr(candidate, "TIMED_MS", 0.0)
    monkeypatch.setattr(pictures, "CHECK_PHANTOMS", 1)
    monkeypatch.setattr(overlap, "PICTURES", 3)
    monkeypatch.setattr(growth, "SETTLING", 5)
    monkeypatch.setattr(growth, "LOOKS", 3)
    monkeypatch.setattr(latency, "IN_TURN_ROUNDS", (3, 3))
    monkeypatch.setattr(gpu_choices, "ROUNDS", (3, 3))


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: None) -> Check:
    """Calls it inside tmp_path."""
    monkeypatch.chdir(tmp_path)
    group = LazyGroup("edge-sr", table=TABLE, needs="", help="", epilog="")

    def call(*words: object) -> Result:
        every = ("device-check", "--minutes", "0.01", "--threads", "1", "--out", "report.json", *words)
        return CliRunner().invoke(group, [str(word) for word in every])

    return call


@pytest.fixture
def of_tiny(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bundle that ships is the tiny one, which takes milliseconds."""
    monkeypatch.setattr(command, "default_bundle", lambda: tiny.folder)


def read_report(path: Path = Path("report.json")) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(path.read_bytes())
    return report


def by_name(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {step["name"]: step for step in report["steps"]}
