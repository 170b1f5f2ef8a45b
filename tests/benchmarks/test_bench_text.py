"""The table of ratios, read as a reader does."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks.bars import ratios
from benchmarks.bench_text import as_text, ratio_table, summary


@pytest.fixture
def record() -> dict[str, Any]:
    ours = {
        "key": "ours",
        "title": "edge-sr int8",
        "peer": False,
        "parameters": 1_400_000,
        "macs": 1_340_000_000,
        "threads": 2,
        "latency": {"p50_ms": 5.0, "calls": 400},
        "file_latency": {"p50_ms": 8.0, "phases_p50_ms": {}, "calls": 300},
        "outside_session_ms": 1.5,
    }
    peer = {
        "key": "x4plus",
        "title": "Real-ESRGAN x4plus",
        "peer": True,
        "parameters": 16_697_987,
        "macs": 73_428_369_408,
        "threads": 2,
        "latency": {"p50_ms": 360.0, "calls": 18},
        "file_latency": None,
    }
    conditions = {
        "machine": {"cpu_model": "Some CPU", "cores": 2, "machine": "x86_64"},
        "versions": {"torch": "2.13.0"},
        "load_average_before": 0.1,
    }
    peers = [
        {"key": "x4plus", "title": "x4plus", "random_weights": True, "failed": None},
        {"key": "compiled", "title": "compiled", "failed": "no compiler"},
    ]
    told = {"report": {"variants": [ours, peer], "conditions": conditions, "warnings": ["busy"]}, "peers": peers}
    told |= {"judged": "ours", "quick": False}
    return {**told, "ratios": ratios(told)}


def test_a_peer_has_its_cost_and_how_much_slower_it_is(record: dict[str, Any]) -> None:
    row = ratio_table(record).splitlines()[-1]
    assert row == "| Real-ESRGAN x4plus* | 16,697,987 | 73.4 | 18 | 360 |  | 45 | 54.8 |"


def test_ours_has_a_time_from_file_to_file_and_no_ratio(record: dict[str, Any]) -> None:
    assert "| edge-sr int8 | 1,400,000 | 1.34 | 400 | 5 | 8 |  |  |" in ratio_table(record)


def test_conditions_failures_and_warnings_are_told(record: dict[str, Any]) -> None:
    text = as_text(record)
    assert text.startswith("Some CPU, 2 cores, 2 threads each, load average before 0.1; torch 2.13.0")
    assert "not timed: compiled: no compiler" in text
    assert "warning: busy" in text


def test_the_summary_holds_the_figures(record: dict[str, Any]) -> None:
    text = summary(record)
    assert "INT8: **8.0 ms** (median of 300; 1.5 ms of it outside the network)" in text
    assert "Real-ESRGAN x4plus 45 times. Their weights are random" in text
