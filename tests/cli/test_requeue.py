"""``edge-sr requeue``: which jobs it takes, what it says, and what stands in the journal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sr.cli.requeue import requeue
from edge_sr.errors import UsageError
from edge_sr.service.claims import claim
from edge_sr.service.journal import find
from edge_sr.service.quarantine import Reason, quarantine
from edge_sr.service.spool import Spool
from tests.service.spools import contents, listing, new_spool, put

NAMES = {"a.png": "refused", "b.png": "refused", "c\n.png": "decoder-timeout"}


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spool]:
    """Three jobs in quarantine, and the service running."""
    monkeypatch.setenv("EDGE_SR_SPOOL", str(tmp_path / "spool"))
    with new_spool(tmp_path) as opened:
        opened.lock()
        for name, code in NAMES.items():
            put(opened, name, name.encode())
            held = claim(opened, name)
            assert held is not None
            quarantine(opened, held, Reason(code, "is no picture"))
        yield opened


def call(*words: object) -> Result:
    return CliRunner().invoke(requeue, [str(word) for word in words])


def job_of(spool: Spool, name: str) -> str:
    (path,) = (spool.path / "quarantine").glob(f"*/{name}")
    return path.parent.name


def test_one_job_by_its_first_digits(spool: Spool) -> None:
    job = job_of(spool, "a.png")
    result = call(job[:8])
    assert result.exit_code == 0 and result.stdout.splitlines() == [f"{job}  a.png", "requeued 1"]
    assert contents(spool.path / "incoming") == {"a.png": b"a.png"}
    (line,) = find(spool, job)
    assert (line["outcome"], line["name"], line["reason"]) == ("requeued", "a.png", "refused")


def test_all_of_a_reason(spool: Spool) -> None:
    assert call("--reason", "refused").stdout.splitlines()[-1] == "requeued 2"
    assert listing(spool)["incoming"] == ["a.png", "b.png"] and len(listing(spool)["quarantine"]) == 3


def test_everything(spool: Spool) -> None:
    result = call("--all")
    assert result.stdout.splitlines()[-1] == "requeued 3" and "c\\n.png" in result.stdout
    assert listing(spool)["quarantine"] == [] and set(contents(spool.path / "incoming")) == set(NAMES)
    assert call("--all").stdout == "requeued 0\n"


def test_a_taken_name_is_told(spool: Spool) -> None:
    put(spool, "a.png", b"new")
    assert "(its own name was taken)" in call(job_of(spool, "a.png")).stdout
    assert contents(spool.path / "incoming")["a.png"] == b"new"


def test_one_that_is_not_there_keeps_no_other_back(spool: Spool) -> None:
    result = call("0" * 32, job_of(spool, "a.png"), "--json")
    assert result.exit_code == 1 and "no such job in quarantine" in result.stderr
    document = json.loads(result.stdout)
    assert [row["incoming_name"] for row in document["requeued"]] == ["a.png"]
    assert [row["job"] for row in document["failed"]] == ["0" * 32]


def test_a_folder_that_lost_its_file_is_removed_and_told(spool: Spool) -> None:
    job = job_of(spool, "a.png")
    (spool.path / "quarantine" / job / "a.png").unlink()
    assert call(job).stdout.splitlines() == [f"{job}  held no file any more; its folder is removed", "requeued 0"]
    assert job not in listing(spool)["quarantine"]


@pytest.mark.parametrize("words", [[], ["--all", "--reason", "refused"], ["0" * 32, "--all"]])
def test_what_to_requeue_must_be_said_once(spool: Spool, words: list[str]) -> None:
    assert isinstance(call(*words).exception, UsageError)
    assert listing(spool)["incoming"] == []


def test_the_help_has_an_example() -> None:
    assert "edge-sr requeue --all" in call("--help").stdout.partition("Examples:")[2]
