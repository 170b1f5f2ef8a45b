"""The latency log of the service: a record a job, without any name."""

from __future__ import annotations

import json
from pathlib import Path

from edge_sr.cli.watch_log import latency_log, record
from edge_sr.service.claims import Claim
from edge_sr.service.job import OfferEnd
from edge_sr.service.log import EventLog
from edge_sr.service.tally import DONE, LATER
from edge_sr.timing import PHASES

JOB = "a" * 32
END = OfferEnd(
    JOB,
    DONE,
    phases_ms={"claim": 0.1, "compute": 30.0},
    total_ms=40.0,
    pixels=(256, 128),
    provenance={"model": "tiny 1", "input_sha256": "0" * 64},
    claim=Claim(JOB, "DOE^JANE.png"),
    name="DOE^JANE.png",
)


def test_a_record_has_the_job_its_phases_and_what_made_it() -> None:
    told = record(END)
    assert (
        told.items() >= {"job": JOB, "status": DONE, "model": "tiny 1", "total_ms": 40.0, "pixels": [256, 128]}.items()
    )
    phases = told["phases_ms"]
    assert isinstance(phases, dict) and set(phases) == {*PHASES, "claim"} and phases["compute"] == 30.0
    assert "DOE" not in json.dumps(told)


def test_a_line_a_result_and_none_for_an_attempt(tmp_path: Path) -> None:
    path = tmp_path / "latency.jsonl"
    with latency_log(path, EventLog(lambda line: None)) as tell:
        tell(END)
        tell(OfferEnd(JOB, LATER, "environment"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["picture", "run"] and lines[0]["job"] == JOB
