"""What is timed is a whole picture around a session that computes nothing; no test asks how fast it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks import host_time
from edge_sr.artifacts.bundle import Bundle


def test_calls_and_phases_are_told(fake: Bundle) -> None:
    figures = host_time.measure(fake, rounds=3, warmup=1)
    assert list(figures) == ["picture", "picture_with_noise", "log_line", "tensorrt_session", "phases_p50_ms"]
    assert all(0 < figures[name]["p50_ms"] <= figures[name]["p99_ms"] for name in list(figures)[:4])
    assert list(figures["phases_p50_ms"]) == ["prepare", "compute", "finish"]
    assert sum(figures["phases_p50_ms"].values()) <= figures["picture"]["p99_ms"]


def test_the_report_says_whether_the_bar_is_held(fake: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = {"picture": {"p50_ms": 0.4}}
    monkeypatch.setattr(host_time, "measure", lambda bundle: figures)
    out = tmp_path / "host.json"
    assert CliRunner().invoke(host_time.command, ["--bundle", str(fake.folder), "--out", str(out)]).exit_code == 0
    told = json.loads(out.read_text())
    assert (told["bar_ms"], told["bar_held"], told["calls"]) == (0.3, False, figures)
    assert "stub" in told["conditions"]["timed"]
