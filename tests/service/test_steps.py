"""What each stage does with a job, and what becomes of the job where that fails."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_sr.errors import DeviceLost, EnvironmentFault, InputError
from edge_sr.service import steps as steps_module
from edge_sr.service import tally
from edge_sr.service.arrivals import Arrival
from edge_sr.service.claims import MOST_ATTEMPTS, Claim
from edge_sr.service.faults import DiskFull
from edge_sr.service.job import GONE, NO_SPACE, STILL_WRITTEN, Job, OfferEnd
from edge_sr.service.journal import Journal
from edge_sr.service.log import EventLog
from edge_sr.service.outcomes import Outcomes
from edge_sr.service.spool import Spool
from edge_sr.service.steps import Steps
from tests.service.fakes import FakeDecoder, FakeWork, picture
from tests.service.spools import listing, new_spool, put


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with new_spool(tmp_path) as opened:
        yield opened


@pytest.fixture
def lines() -> list[bytes]:
    return []


@pytest.fixture
def steps(spool: Spool, lines: list[bytes]) -> Steps:
    made = Steps(spool, FakeDecoder(), outcomes_of(spool, lines), ends=lambda content: True, most_bytes=1 << 20)
    made.work = FakeWork()
    return made


def outcomes_of(spool: Spool, lines: list[bytes]) -> Outcomes:
    return Outcomes(spool, Journal(spool), EventLog(lines.append))


def arrival(name: str, reason: str = "") -> Arrival:
    return Arrival(name, 0, 0, 0, reason)


def taken(steps: Steps, spool: Spool, *names: str) -> list[Job]:
    jobs = []
    for number, name in enumerate(names):
        put(spool, name, picture(number))
        job = steps.take(arrival(name))
        assert isinstance(job, Job)
        jobs.append(job)
    return jobs


def through(steps: Steps, jobs: list[Job]) -> list[OfferEnd]:
    computed = steps.compute(jobs)
    done = [each for each in computed if isinstance(each, Job)]
    return [each for each in computed if isinstance(each, OfferEnd)] + (steps.publish(done) if done else [])


def test_from_incoming_to_outgoing(steps: Steps, spool: Spool) -> None:
    (end,) = through(steps, taken(steps, spool, "a.png"))
    assert (end.result, end.reason, end.pixels) == (tally.DONE, "", (32, 32))
    assert list(end.phases_ms) == ["claim", "decode", "compute", "encode", "write"]
    assert listing(spool) == {
        "incoming": [],
        "work": [],
        "outgoing": ["a_x4.json", "a_x4.png"],
        "done": ["a.png"],
        "quarantine": [],
    }
    (line,) = (spool.path / "state").glob("jobs-*.jsonl")
    assert json.loads(line.read_text())["name"] == "a.png"


def test_several_share_a_call_and_its_time(steps: Steps, spool: Spool) -> None:
    ends = through(steps, taken(steps, spool, "a.png", "b.png"))
    assert isinstance(steps.work, FakeWork) and steps.work.calls == [2]
    assert [end.phases_ms["compute"] for end in ends] == [4.0, 4.0]


def test_the_same_bytes_again_are_not_computed(steps: Steps, spool: Spool) -> None:
    through(steps, taken(steps, spool, "a.png"))
    (job,) = taken(steps, spool, "a.png")
    assert job.found is not None and job.radiograph is None
    (end,) = steps.publish([job])
    assert (end.result, end.reason) == (tally.DONE, "existed")
    assert listing(spool)["outgoing"] == ["a_x4.json", "a_x4.png"] and len(listing(spool)["done"]) == 2


def test_one_that_fails_in_company_fails_alone(steps: Steps, spool: Spool) -> None:
    def refuse_company(count: int) -> None:
        if count > 1 or len(work.calls) == 3:
            raise InputError("needs more memory than there is")

    steps.work = work = FakeWork(refuse_company)
    ends = through(steps, taken(steps, spool, "a.png", "b.png", "c.png"))
    assert sorted(end.result for end in ends) == [tally.DONE, tally.DONE, tally.QUARANTINED]
    assert listing(spool)["done"] == ["a.png", "c.png"]


@pytest.mark.parametrize(
    ("fault", "result", "reason"),
    [
        (EnvironmentFault("no children"), tally.LATER, "environment"),
        (OSError(5, "I/O error"), tally.LATER, "environment"),
        (MemoryError(), tally.LATER, "memory"),
        (DiskFull("full"), NO_SPACE, "disk-full"),
        (ZeroDivisionError("DOE^JANE"), tally.LATER, "bug"),
        (InputError("is a colour picture"), tally.QUARANTINED, "refused"),
    ],
)
@pytest.mark.parametrize("where", ["decode", "compute", "encode"])
def test_what_becomes_of_a_job(
    steps: Steps, spool: Spool, lines: list[bytes], where: str, fault: Exception, result: str, reason: str
) -> None:
    def fail(count: int) -> None:
        raise fault

    steps.work = FakeWork(fail) if where == "compute" else FakeWork(encode_fault=fault if where == "encode" else None)
    put(spool, "DOE^JANE.png", picture())
    if where == "decode":
        steps._decoder = FakeDecoder(fault)
        end = steps.take(arrival("DOE^JANE.png"))
    else:
        job = steps.take(arrival("DOE^JANE.png"))
        assert isinstance(job, Job)
        (end,) = through(steps, [job])
    assert isinstance(end, OfferEnd) and (end.result, end.reason) == (result, reason)
    assert listing(spool)["outgoing"] == [] and listing(spool)["incoming"] == []
    assert b"DOE" not in b"".join(lines)


def test_a_lost_device_is_nobodys_fault(steps: Steps, spool: Spool) -> None:
    def lose(count: int) -> None:
        raise DeviceLost("CUDA error 700")

    steps.work = FakeWork(lose)
    jobs = taken(steps, spool, "a.png", "b.png")
    with pytest.raises(DeviceLost):
        steps.compute(jobs)
    assert listing(spool)["incoming"] == ["a.png", "b.png"] and listing(spool)["work"] == []


def test_a_bug_is_tried_a_few_times_only(steps: Steps, spool: Spool) -> None:
    def fail(count: int) -> None:
        raise ZeroDivisionError

    steps.work = FakeWork(fail)
    (job,) = taken(steps, spool, "a.png")
    for _ in range(MOST_ATTEMPTS - 1):
        (end,) = through(steps, [job])
        assert end.result == tally.LATER and end.claim is not None
        again = steps.take(end.claim)
        assert isinstance(again, Job)
        job = again
    (end,) = through(steps, [job])
    assert (end.result, end.reason) == (tally.QUARANTINED, "too-often")


def test_a_file_that_is_still_written_goes_back(spool: Spool) -> None:
    writing = Steps(spool, FakeDecoder(), outcomes_of(spool, []), ends=lambda content: False, most_bytes=1 << 20)
    writing.work = FakeWork()
    put(spool, "a.png", picture())
    end = writing.take(arrival("a.png"))
    assert isinstance(end, OfferEnd) and (end.result, end.name) == (STILL_WRITTEN, "a.png")
    assert listing(spool)["incoming"] == ["a.png"] and listing(spool)["work"] == []


def test_what_is_no_file_is_quarantined_unopened(steps: Steps, spool: Spool) -> None:
    (spool.path / "incoming" / "a.png").symlink_to("/etc/passwd")
    end = steps.take(arrival("a.png", "link"))
    assert isinstance(end, OfferEnd) and (end.result, end.reason) == (tally.QUARANTINED, "link")


def test_one_that_is_gone(steps: Steps) -> None:
    end = steps.take(arrival("a.png"))
    assert isinstance(end, OfferEnd) and end.result == GONE


def test_a_claim_that_cannot_be_dropped_is_finished_by_a_later_try(
    steps: Steps, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    drop: Callable[..., list[str]] = steps_module.drop

    def drop_the_first(spool: Spool, claims: list[Claim]) -> list[str]:
        drop(spool, claims[:1] if claims[0].name == "a.png" else [])
        raise EnvironmentFault("I/O error")

    jobs = taken(steps, spool, "a.png", "b.png")
    monkeypatch.setattr(steps_module, "drop", drop_the_first)
    ends = through(steps, jobs)
    monkeypatch.setattr(steps_module, "drop", drop)
    assert [end.result for end in ends] == [tally.DONE, tally.LATER]
    assert ends[1].claim is not None
    again = steps.take(ends[1].claim)
    assert isinstance(again, Job) and again.found is not None
    assert [end.reason for end in steps.publish([again])] == ["existed"]
    assert listing(spool)["done"] == ["a.png", "b.png"] and listing(spool)["work"] == []


def test_put_back_for_the_next_start(steps: Steps, spool: Spool) -> None:
    (job,) = taken(steps, spool, "a.png")
    assert outcomes_of(spool, []).put_back(job.claim).result == tally.PUT_BACK
    assert listing(spool)["incoming"] == ["a.png"] and listing(spool)["work"] == []
