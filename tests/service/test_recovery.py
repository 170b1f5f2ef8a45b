"""What lies in a spool at the start; deaths in the middle are in test_publish_killed.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from edge_sr.service.claims import Claim, claim
from edge_sr.service.publish import publish
from edge_sr.service.recovery import recover
from edge_sr.service.spool import Spool
from tests.service.spools import contents, listing, new_spool, output_of, put
from tests.service.test_rename import HOSTILE


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with new_spool(tmp_path) as opened:
        yield opened


def taken(spool: Spool, name: str) -> Claim:
    held = claim(spool, name)
    assert held is not None
    return held


def test_an_empty_spool_has_nothing_to_mend(spool: Spool) -> None:
    found = recover(spool)
    assert (found.claims, found.finished, found.quarantined, found.removed, found.foreign) == ([], [], [], 0, 0)


@pytest.mark.parametrize("name", [*HOSTILE, "reason.json", "reason.1.json"])
def test_what_was_claimed_is_given_again(spool: Spool, name: str) -> None:
    put(spool, name)
    held = taken(spool, name)
    (found,) = recover(spool).claims
    assert (found.job, found.name, found.recovered, found.attempts) == (held.job, name, True, 1)


def test_the_oldest_comes_first(spool: Spool) -> None:
    import os

    for name, time in (("b", 5), ("c", 3), ("a", 5)):
        os.utime(put(spool, name), (time, time))
        taken(spool, name)
    assert [held.name for held in recover(spool).claims] == ["c", "a", "b"]


@pytest.mark.parametrize("name", HOSTILE)
def test_what_was_published_is_finished(spool: Spool, name: str) -> None:
    put(spool, name, b"input")
    held = taken(spool, name)
    (published,) = publish(spool, [output_of(held, b"input")])
    found = recover(spool)
    assert [(each.job, done.picture, done.existed) for each, done in found.finished] == [
        (held.job, published.picture, True)
    ]
    assert found.claims == [] and contents(spool.path / "done") == {name: b"input"}
    assert listing(spool)["work"] == []


def test_a_sidecar_of_the_job_beside_half_a_picture_finishes_nothing(spool: Spool) -> None:
    put(spool, "a.png", b"input")
    output = output_of(taken(spool, "a.png"), b"input")
    (published,) = publish(spool, [output])
    (spool.path / "outgoing" / published.picture).write_bytes(output.picture[:-1])
    found = recover(spool)
    assert [held.name for held in found.claims] == ["a.png"] and found.finished == []


def test_own_leftovers_go_and_those_of_others_stay(spool: Spool) -> None:
    job = uuid4().hex
    for name in (f".{job}.png.part", f".{job}.json.part", ".mine.png.part", f"{job}.png.part"):
        (spool.path / "outgoing" / name).write_bytes(b"half")
    (spool.path / "work" / job).mkdir()
    found = recover(spool)
    assert found.removed == 3
    assert listing(spool)["outgoing"] == [".mine.png.part", f"{job}.png.part"] and listing(spool)["work"] == []


def test_what_is_nobodys_is_left_alone_and_told(spool: Spool, tmp_path: Path) -> None:
    work = spool.path / "work"
    (tmp_path / "elsewhere").mkdir()
    (work / "notes").mkdir()
    (work / "a.png").write_bytes(b"mine")
    (work / uuid4().hex).write_bytes(b"a file that is called like a job")
    (work / uuid4().hex).symlink_to(tmp_path / "elsewhere")
    (work / uuid4().hex).mkdir()
    two = work / uuid4().hex
    two.mkdir()
    for name in ("a.png", "b.png"):
        (two / name).write_bytes(b"which of the two?")
    before = listing(spool)["work"]
    found = recover(spool)
    assert (found.foreign, found.removed, found.claims) == (5, 1, [])
    assert len(listing(spool)["work"]) == len(before) - 1 and (tmp_path / "elsewhere").exists()


def test_recovering_twice_is_right(spool: Spool) -> None:
    put(spool, "a.png")
    taken(spool, "a.png")
    assert recover(spool).claims == recover(spool).claims
