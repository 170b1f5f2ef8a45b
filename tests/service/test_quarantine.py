from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.errors import InputError
from edge_sr.service.claims import Claim, claim
from edge_sr.service.faults import Unfit
from edge_sr.service.quarantine import Reason, quarantine, quarantined, reason_of, requeue
from edge_sr.service.recovery import recover
from edge_sr.service.spool import Spool
from tests.service.spools import contents, listing, new_spool, put
from tests.service.test_rename import HOSTILE

REFUSED = Reason("refused", "is no picture", input_sha256="a" * 64)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with new_spool(tmp_path) as opened:
        yield opened


def in_quarantine(spool: Spool, name: str, content: bytes = b"bad") -> str:
    put(spool, name, content)
    return to_quarantine(spool, name)


def to_quarantine(spool: Spool, name: str) -> str:
    held = claim(spool, name)
    assert held is not None
    quarantine(spool, held, REFUSED)
    return held.job


@pytest.mark.parametrize("name", HOSTILE)
def test_the_file_and_the_reason_lie_together(spool: Spool, name: str) -> None:
    job = in_quarantine(spool, name)
    record = json.loads((spool.path / "quarantine" / job / "reason.json").read_text())
    assert record["job"] == job and record["reason"] == "refused" and record["input_sha256"] == "a" * 64
    assert set(record) == {
        *("schema_version", "job", "reason", "what", "expected", "hint", "input_sha256", "time", "version", "attempts")
    }
    assert listing(spool)["work"] == [] and contents(spool.path / "quarantine" / job)[name] == b"bad"


@pytest.mark.parametrize("name", ["reason.json", "reason.1.json"])
def test_a_file_called_like_the_reason_is_kept_apart(spool: Spool, name: str) -> None:
    job = in_quarantine(spool, name, b'{"job": "another"}')
    (found,) = quarantined(spool)
    assert (found.job, found.name, found.code, found.others) == (job, name, "refused", ())
    requeue(spool, job)
    assert contents(spool.path / "incoming") == {name: b'{"job": "another"}'}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_moved_unopened(spool: Spool, tmp_path: Path, kind: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    path = spool.path / "incoming" / "a.png"
    {"link": lambda: path.symlink_to(tmp_path / "secret"), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[
        kind
    ]()
    job = to_quarantine(spool, "a.png")
    assert (spool.path / "quarantine" / job / "a.png").lstat()
    assert (tmp_path / "secret").read_bytes() == b"secret"


def test_a_reason_holds_no_name() -> None:
    error = Unfit("DOE^JOHN.png is a link", reason="link", hint="rm DOE^JOHN.png")
    found = reason_of(error, name="DOE^JOHN.png", attempts=2)
    assert (found.code, found.what, found.hint, found.attempts) == ("link", "FILE is a link", "rm FILE", 2)


def test_an_error_without_a_code_is_a_refusal() -> None:
    assert reason_of(InputError("is no picture"), name="a").code == "refused"


def test_what_was_on_its_way_there_arrives_at_the_next_start(spool: Spool) -> None:
    job = in_quarantine(spool, "a.png")
    (spool.path / "quarantine" / job).rename(spool.path / "work" / job)
    assert recover(spool).quarantined == [job]
    assert [each.job for each in quarantined(spool)] == [job]


def test_a_reason_of_another_job_is_no_reason(spool: Spool) -> None:
    put(spool, "reason.json", b'{"schema_version": 1, "job": "00000000000000000000000000000000", "reason": "refused"}')
    assert claim(spool, "reason.json") is not None
    assert [held.name for held in recover(spool).claims] == ["reason.json"]


@pytest.mark.parametrize("name", HOSTILE)
def test_requeue_puts_the_file_back_and_removes_the_rest(spool: Spool, name: str) -> None:
    done = requeue(spool, in_quarantine(spool, name))
    assert (done.name, done.incoming_name) == (name, name)
    assert contents(spool.path / "incoming") == {name: b"bad"} and listing(spool)["quarantine"] == []


def test_requeue_keeps_a_file_of_the_same_name(spool: Spool) -> None:
    job = in_quarantine(spool, "a.png")
    put(spool, "a.png", b"new")
    assert requeue(spool, job).incoming_name == f"a.{job[:8]}.png"
    assert contents(spool.path / "incoming") == {"a.png": b"new", f"a.{job[:8]}.png": b"bad"}


def test_requeue_touches_no_folder_that_holds_more(spool: Spool) -> None:
    job = in_quarantine(spool, "a.png")
    (spool.path / "quarantine" / job / "notes").write_bytes(b"mine")
    with pytest.raises(InputError, match="holds 2 files"):
        requeue(spool, job)
    assert len(contents(spool.path / "quarantine" / job)) == 3 and listing(spool)["incoming"] == []


@pytest.mark.parametrize("job", ["../work", "0" * 32, "", "."])
def test_requeue_of_no_job_is_refused(spool: Spool, job: str) -> None:
    with pytest.raises(InputError, match="no such job"):
        requeue(spool, job)


def test_a_claim_whose_quarantining_failed_can_be_quarantined_again(spool: Spool, monkeypatch) -> None:
    put(spool, "a.png")
    held = claim(spool, "a.png")
    assert isinstance(held, Claim)
    (spool.path / "work" / held.job / "reason.json").write_bytes(b"{half")
    (spool.path / "work" / held.job / ".reason.json.part").write_bytes(b"{half")
    quarantine(spool, held, REFUSED)
    (found,) = quarantined(spool)
    assert found.code == "refused" and found.others == ()
