from __future__ import annotations

from typing import Any

import pytest

from edge_sr.bench.report.roofline import predictions
from tests.bench.report import toy


def test_one_or_several_by_name() -> None:
    (alone,) = predictions(toy.roofline())
    assert alone.title == "upscale.onnx, int8 on Orin Nano 8 GB, 25 W"
    assert [each.title for each in predictions({"a": toy.roofline(), "b": toy.roofline()})] == ["a", "b"]


def test_gaps_are_floors_and_measured_times_by_kind() -> None:
    (found,) = predictions(toy.roofline())
    assert found.gaps == (("Conv", 1.27, 2.91), ("Resize", 0.021, 0.187))
    assert found.kinds is not None and found.kinds.rows[0][:4] == ("Conv", "23", "1.27", "2.91")


def test_shares_are_per_cent_and_units_are_told() -> None:
    (found,) = predictions(toy.roofline())
    assert found.stages is not None and "27.4 %" in found.stages.rows[0]
    assert ("energy, mJ", "33.0") in found.summary.rows
    assert ("source of GB/s", "NVIDIA data sheet") in found.device.rows


@pytest.mark.parametrize("changed", [{"stages": None, "nodes": [], "measured": None}, {"device": 3, "nodes": [1]}])
def test_what_is_missing_or_odd_is_left_out(changed: dict[str, Any]) -> None:
    (found,) = predictions({**toy.roofline(), **changed})
    assert found.nodes is None


def test_what_is_no_roofline_gives_nothing() -> None:
    assert list(predictions({"a": 1, "b": [2]})) == []
