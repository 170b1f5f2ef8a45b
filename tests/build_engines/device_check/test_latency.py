from __future__ import annotations

from build_engines.device_check.latency import beside_parts, distribution
from edge_sr.bench.latency import medians


def test_percentiles_are_those_of_the_calls() -> None:
    told = distribution([float(ms) for ms in range(101)])
    assert (told["p50_ms"], told["p90_ms"], told["p99_ms"]) == (50, 90, 99)
    assert (told["calls"], told["least_ms"], told["most_ms"]) == (101, 0, 100)


def test_the_share_of_the_host_is_what_no_part_explains() -> None:
    parts = [{"copy_in": 0.5, "compute": 2.0}, {"copy_in": 0.5, "compute": 3.0}, {"copy_in": 0.5, "compute": 9.0}]
    assert beside_parts([3.0, 4.0, 20.0], parts) == 0.5
    assert medians(parts) == {"copy_in": 0.5, "compute": 3.0}


def test_where_no_part_is_timed_there_is_no_share() -> None:
    assert beside_parts([3.0], [{}]) is None and medians([{}]) == {}
