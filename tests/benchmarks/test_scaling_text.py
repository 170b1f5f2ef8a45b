"""The table of growth, read as a reader does."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks.scaling_text import as_text, bars, fit_table

FIT = {"points": 3, "exponent": 1.01, "low": 0.9, "high": 1.12, "fixed": 0.5, "each": 3.0}


@pytest.fixture
def record() -> dict[str, Any]:
    points = [{"amount": amount, "p50_ms": 3.0 * amount} for amount in (1, 4, 9, 16, 25)]
    large = [
        {"lr": [3000, 3000], "sr": [12000, 12000], "tiles": 3969, "median_s": 13.2, "peak_mb": 2500.0, "failed": None},
        {"lr": [750, 750], "failed": "out of memory", "peak_mb": None},
    ]
    return {"curves": {"tiles": {"points": points, "fit": FIT, "fit_of_several": FIT}}, "large": large}


def test_many_tiles_have_a_row_of_their_own(record: dict[str, Any]) -> None:
    *_, all_points, several = fit_table(record).splitlines()
    assert all_points.startswith("| tiles | 3 | 1: 3.00 ms | 25: 75.0 ms | 1.01 | 0.90 to 1.12 |")
    assert several.startswith("| tiles, from 9 on | 3 | 9: 27.00 ms | 25: 75.0 ms |")


def test_large_pictures_are_told(record: dict[str, Any]) -> None:
    text = as_text(record)
    assert "3000x3000, edge-sr run as a process: 12000x12000 in 13.2 s, peak 2,500 MB, 3,969 tiles" in text
    assert "750x750, edge-sr run as a process: out of memory" in text


def test_each_reading_of_the_bar_stands_for_itself(record: dict[str, Any]) -> None:
    assert [(bar.held, bar.why) for bar in bars(record)] == [(False, ""), (None, "out of memory")]
