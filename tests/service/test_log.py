"""The service's log lines: what stands in them, and what never does."""

from __future__ import annotations

import json

import pytest

from edge_sr.errors import InputError
from edge_sr.service.log import WITHHELD, EventLog


@pytest.fixture
def lines() -> list[dict[str, object]]:
    return []


@pytest.fixture
def log(lines: list[dict[str, object]]) -> EventLog:
    return EventLog(lambda line: lines.append(json.loads(line)))


def test_one_object_with_time_level_event_and_job(log: EventLog, lines: list[dict[str, object]]) -> None:
    log.info("done", job="a" * 32, total_ms=12.5)
    assert lines[0].pop("time")
    assert lines == [{"level": "info", "event": "done", "job": "a" * 32, "total_ms": 12.5}]


@pytest.mark.parametrize("name", ["/spool/DOE^JANE.png", "Doe Jane.png", "x\ny", "", "ü", "a" * 81])
def test_what_is_no_code_is_withheld(log: EventLog, lines: list[dict[str, object]], name: str) -> None:
    log.warning("quarantined", reason=name)
    assert lines[0]["reason"] == WITHHELD


def test_a_bug_is_told_by_its_place_and_not_by_its_message(log: EventLog, lines: list[dict[str, object]]) -> None:
    try:
        raise InputError("is broken", where="/spool/DOE^JANE.png")
    except InputError as error:
        log.bug(error)
    assert "DOE" not in json.dumps(lines)
    assert lines[0]["kind"] == "InputError" and "test_log.py" in str(lines[0]["at"])


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    def full(line: bytes) -> None:
        raise OSError(28, "full")

    EventLog(full).info("done")
