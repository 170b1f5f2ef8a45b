"""Bars are computed from the record alone: held, missed, or not measured with the reason."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks.bars import ROOFLINE, ROOFLINE_ONE, bars, judged, ratios

OURS: dict[str, Any] = {
    "key": "ours-int8",
    "peer": False,
    "macs": 1_000,
    "latency": {"p50_ms": 5.0},
    "file_latency": {"p50_ms": 8.0, "phases_p50_ms": {"queue": 0.25, "compute": 6.0}},
    "outside_session_ms": 1.75,
    "opening": {"cold_start_ms": 700.0},
    "memory": {"peak_mib": 100.0},
}


def peer(key: str, ms: float) -> dict[str, Any]:
    return {"key": key, "peer": True, "macs": 10_000, "latency": {"p50_ms": ms}, "file_latency": None}


def record(*peers: dict[str, Any], ours: dict[str, Any] | None = OURS, failed: str | None = None) -> dict[str, Any]:
    return {
        "judged": ours["key"] if ours else None,
        "report": {"variants": [*([ours] if ours else []), *peers]},
        "peers": [{"key": "compact", "failed": failed}],
    }


def test_ratios_are_of_files_and_of_arrays() -> None:
    (ratio,) = ratios(record(peer("compact", 40.0)))
    assert ratio == {"peer": "compact", "variant": "ours-int8", "file": 5.0, "array": 8.0, "macs": 10.0}


def test_held_and_missed() -> None:
    held = {bar.name: bar.held for bar in bars(record(peer("compact", 40.0), peer("x4plus", 300.0)))}
    assert held["times faster than compact"] is True  # 5 of 4
    assert held["times faster than x4plus"] is False  # 37.5 of 50
    assert held["cold start of edge-sr run, one picture"] is False
    assert held["peak memory of edge-sr run, 64x64"] is True


def test_the_queue_of_a_call_counts_as_outside_the_session() -> None:
    (outside,) = (bar for bar in bars(record()) if bar.name.startswith("time outside"))
    assert (outside.measured, outside.held) == (2.0, True)


def test_what_was_not_measured_is_neither_held_nor_missed() -> None:
    told = {bar.name: (bar.held, bar.why) for bar in bars(record(failed="out of memory"))}
    assert told["times faster than compact"] == (None, "out of memory")
    assert told["times faster than x4plus"] == (None, "was not asked for")


def test_without_an_int8_engine_no_bar_is_measured() -> None:
    without = record(peer("compact", 40.0), ours=None)
    assert judged(without) is None
    assert {(bar.held, bar.why) for bar in bars(without)} == {(None, "no int8 engine")}


def test_a_bar_reads_as_a_sentence() -> None:
    told = [str(bar) for bar in bars(record(peer("compact", 40.0)))]
    assert "held         times faster than compact: 5 times (at least 4 times)" in told
    assert "MISSED       cold start of edge-sr run, one picture: 700 ms (at most 600 ms)" in told
    assert "not measured times faster than x4plus: was not asked for (at least 50 times)" in told


@pytest.mark.parametrize(("times", "held"), [(2.9, True), (3.1, False)])
def test_the_session_is_held_against_the_roofline(times: float, held: bool) -> None:
    found = record()
    found["report"]["roofline"] = {ROOFLINE: {"measured": {"times_floor": times}}}
    assert [bar.held for bar in bars(found) if "floor" in bar.name] == [held, None]
    found["report"]["roofline"] |= {ROOFLINE_ONE: {"measured": {"times_floor": 3.5}}}
    assert [bar.held for bar in bars(found) if "floor" in bar.name] == [held, False]
