"""The quick form of every row; ``make soak`` runs the same functions at the full counts. Times are judged there."""

from __future__ import annotations

from functools import partial

import pytest

from tests.reliability.finding import Finding, NotHere
from tests.reliability.planted import FAULTS, SAID, launcher
from tests.reliability.rig import Rig
from tests.reliability.row_injection import INJECTED, injection
from tests.reliability.row_kills import kills
from tests.reliability.row_order import order
from tests.reliability.soak import ROWS, Row, RowFunction

ELSEWHERE = ("3", "injection")  # below, in a shorter form
MEASURED = ("latency", "throughput", "idle")  # figures of time and nothing else
QUICK = [row for row in ROWS if not {*row.names} & {*ELSEWHERE, *MEASURED}]


def found(run: RowFunction, rig: Rig, count: int) -> dict[str, Finding]:
    try:
        return run(rig, count)
    except NotHere as fault:
        pytest.skip(str(fault))


@pytest.mark.parametrize("row", QUICK, ids=[f"{'-'.join(row.names)}-{row.run.__name__}" for row in QUICK])
def test_row_is_held(rig: Rig, row: Row) -> None:
    for name, finding in found(row.run, rig, row.quick).items():
        assert finding.faults == [], name


def test_what_fails_in_the_middle_passes(rig: Rig) -> None:
    assert found(partial(injection, kinds=INJECTED[:1]), rig, 8)["injection"].faults == []


@pytest.mark.parametrize("fault", [each for each in FAULTS if each != "no-recovery"])
def test_a_planted_fault_is_seen_in_the_order_of_calls(rig: Rig, fault: str) -> None:
    faults = found(partial(order, launcher=launcher(fault)), rig, 4)["4"].faults
    assert any(SAID[fault] in each for each in faults)


def test_a_service_that_does_not_recover_is_seen_by_the_kill_loop(rig: Rig) -> None:
    findings = found(partial(kills, launcher=launcher("no-recovery"), stuck_s=2.0), rig, 2)
    assert any(SAID["no-recovery"] in each for each in findings["1"].faults)


def test_a_result_written_in_place_is_seen_by_the_reader(rig: Rig) -> None:
    assert any(
        "torn" in each for each in found(partial(kills, launcher=launcher("write-in-place")), rig, 2)["2"].faults
    )
