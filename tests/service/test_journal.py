from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.errors import UsageError
from edge_sr.service.claims import claim
from edge_sr.service.journal import Journal, at_hand, find
from edge_sr.service.spool import Spool
from tests.service.spools import new_spool, put
from tests.service.test_rename import HOSTILE

JOB, OTHER = "a" * 32, "b" * 32


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with new_spool(tmp_path) as opened:
        yield opened


def file_of(spool: Spool) -> Path:
    (path,) = (spool.path / "state").glob("jobs-*.jsonl")
    return path


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_found_by_its_job_and_by_its_key(spool: Spool, name: str) -> None:
    journal = Journal(spool)
    assert journal.append(job=JOB, name=name, outcome="published", job_key="c" * 64, output="x_x4.png")
    assert journal.append(job=OTHER, name="other", outcome="quarantined", reason="refused")
    for text in (JOB, JOB[:8], "c" * 64, "c" * 8):
        (line,) = find(spool, text)
        assert (line["name"], line["outcome"], line["output"]) == (name, "published", "x_x4.png")
    assert file_of(spool).read_bytes().count(b"\n") == 2


def test_the_file_is_for_its_owner_alone(spool: Spool) -> None:
    Journal(spool).append(job=JOB, name="a", outcome="published")
    assert file_of(spool).stat().st_mode & 0o777 == 0o600


def test_every_month_is_searched_the_oldest_first(spool: Spool) -> None:
    Journal(spool).append(job=JOB, name="new", outcome="published")
    file_of(spool).with_name("jobs-2020-01.jsonl").write_text(f'{{"job": "{JOB}", "name": "old"}}\n')
    assert [line["name"] for line in find(spool, JOB)] == ["old", "new"]


def test_lines_that_cannot_be_read_hide_no_others(spool: Spool) -> None:
    journal = Journal(spool)
    journal.append(job=JOB, name="a", outcome="published")
    with file_of(spool).open("ab") as file:
        file.write(b'{"job": half\n\xff\xfe\n[]\n')
    journal.append(job=JOB, name="b", outcome="published")
    assert [line["name"] for line in find(spool, JOB)] == ["a", "b"]


@pytest.mark.parametrize("text", ["", "a" * 7, "../../x", "Z" * 8])
def test_too_few_digits_are_refused(spool: Spool, text: str) -> None:
    with pytest.raises(UsageError):
        list(find(spool, text))


def test_a_full_disk_leaves_no_half_line_and_stops_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(spool)
    journal.append(job=JOB, name="a", outcome="published")
    before, write = file_of(spool).read_bytes(), os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:10]))
    assert not journal.append(job=JOB, name="b", outcome="published")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "write", full)
    assert not journal.append(job=JOB, name="c", outcome="published")
    assert file_of(spool).read_bytes() == before and journal.missed == 2


def test_a_link_in_place_of_the_journal_is_not_written_through(spool: Spool, tmp_path: Path) -> None:
    journal = Journal(spool)
    journal.append(job=JOB, name="a", outcome="published")
    path = file_of(spool)
    path.rename(tmp_path / "secret")
    path.symlink_to(tmp_path / "secret")
    before = (tmp_path / "secret").read_bytes()
    assert not journal.append(job=JOB, name="b", outcome="published")
    assert (tmp_path / "secret").read_bytes() == before


def test_a_job_at_hand_is_found_without_a_line(spool: Spool) -> None:
    put(spool, "a.png")
    held = claim(spool, "a.png")
    assert held is not None
    assert [(line["name"], line["outcome"]) for line in at_hand(spool, held.job[:8])] == [("a.png", "at hand")]
    assert list(find(spool, held.job)) == []
