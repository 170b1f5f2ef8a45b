"""Counts and percentiles."""

from __future__ import annotations

import pytest

from edge_sr.service.tally import DONE, KEPT, QUARANTINED, JobEnd, Tally, percentile


def test_counts_by_result_and_reason() -> None:
    tally = Tally()
    for end in (JobEnd("a", DONE), JobEnd("b", DONE, "existed"), JobEnd("c", QUARANTINED, "refused")):
        tally.add(end, 7.0)
    assert tally.to_json() == {
        "done": 2,
        "quarantined": 1,
        "by_reason": [
            {"result": DONE, "reason": "", "count": 1},
            {"result": DONE, "reason": "existed", "count": 1},
            {"result": QUARANTINED, "reason": "refused", "count": 1},
        ],
    }


def test_times_are_of_the_last_results_alone() -> None:
    tally = Tally()
    tally.add(JobEnd("old", DONE, phases_ms={"compute": 1e9}, total_ms=1e9), 0.0)
    for number in range(KEPT):
        tally.add(JobEnd("new", DONE, phases_ms={"compute": number}, total_ms=2 * number), 1.0)
    tally.add(JobEnd("bad", QUARANTINED, "refused", total_ms=1e9), 2.0)
    last = tally.last_to_json()
    assert last["count"] == KEPT and tally.last_done_s == 1.0
    assert last["phases_ms"] == {"compute": {"p50": 127, "p95": 243}, "total": {"p50": 254, "p95": 486}}


@pytest.mark.parametrize(("percent", "value"), [(0, 1), (50, 2), (75, 3), (76, 4), (100, 4)])
def test_nearest_rank(percent: float, value: float) -> None:
    assert percentile([4, 1, 3, 2], percent) == value
