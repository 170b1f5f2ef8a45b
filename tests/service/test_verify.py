from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from edge_sr.service import verify as module
from edge_sr.service.claims import claim
from edge_sr.service.quarantine import Reason, quarantine
from edge_sr.service.spool import Spool
from edge_sr.service.verify import verify
from tests.service.spools import new_spool, put, serve

JOB = "0" * 32


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """One picture published, one quarantined."""
    with new_spool(tmp_path) as opened:
        for name in ("a.png", "bad.png"):
            put(opened, name, name.encode())
        serve(opened, "a.png")
        held = claim(opened, "bad.png")
        assert held is not None
        quarantine(opened, held, Reason("refused", "is no picture"))
        yield opened


def rewritten(path: Path, **fields: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_sound_spool_has_no_findings(spool: Spool) -> None:
    assert verify(spool) == []


DAMAGE: dict[str, Callable[[Path], object]] = {
    "has no sidecar beside it": lambda outgoing: (outgoing / "a_x4.json").unlink(),
    "has no picture beside it": lambda outgoing: (outgoing / "a_x4.png").unlink(),
    "is no whole PNG": lambda outgoing: (outgoing / "a_x4.png").write_bytes((outgoing / "a_x4.png").read_bytes()[:-1]),
    "its sidecar cannot be read, or names no job key": lambda outgoing: (outgoing / "a_x4.json").write_text("{half"),
    "picture and sidecar are of different jobs": lambda outgoing: rewritten(outgoing / "a_x4.json", job_key="b" * 64),
    "picture and sidecar name different inputs": lambda outgoing: rewritten(outgoing / "a_x4.json", input_sha256="b"),
    "was changed since it was published": lambda outgoing: rewritten(outgoing / "a_x4.json", output_sha256="b" * 64),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_damage_in_outgoing_is_found(spool: Spool, what: str) -> None:
    DAMAGE[what](spool.path / "outgoing")
    (found,) = verify(spool)
    assert (found.folder, found.what, found.damaged) == ("outgoing", what, True)


@pytest.mark.parametrize(("name", "what"), [("bad.png", "holds no input"), ("reason.json", "holds no reason")])
def test_half_a_job_in_quarantine_is_found(spool: Spool, name: str, what: str) -> None:
    (folder,) = (spool.path / "quarantine").iterdir()
    (folder / name).unlink()
    (found,) = verify(spool)
    assert (found.name, found.what, found.damaged) == (folder.name, what, True)


def test_more_than_one_input_in_quarantine_is_found(spool: Spool) -> None:
    (folder,) = (spool.path / "quarantine").iterdir()
    (folder / "more").write_bytes(b"mine")
    assert [each.what for each in verify(spool)] == ["holds 1 more than the input and the reason"]


@pytest.mark.parametrize("name", ["notes", JOB])
def test_what_is_nobodys_in_work_is_found(spool: Spool, name: str) -> None:
    (spool.path / "work" / name).write_bytes(b"mine")
    assert [(each.folder, each.name, each.damaged) for each in verify(spool)] == [("work", name, True)]


def test_what_the_service_mends_by_itself_is_no_damage(spool: Spool) -> None:
    put(spool, "c.png")
    claim(spool, "c.png")
    for name in (f".{JOB}.png.part", "notes.txt"):
        (spool.path / "outgoing" / name).write_bytes(b"")
    assert [each.damaged for each in verify(spool)] == [False, False, False]


def test_what_is_under_way_in_a_running_service_is_no_finding(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    spool.lock()
    put(spool, "c.png")
    held = claim(spool, "c.png")
    assert held is not None
    (spool.path / "outgoing" / f".{held.job}.png.part").write_bytes(b"")
    (spool.path / "outgoing" / "c_x4.json").write_text("{}")
    monkeypatch.setattr(module.time, "sleep", lambda seconds: (spool.path / "outgoing" / "c_x4.json").unlink())
    assert verify(spool) == []


def test_a_job_folder_that_goes_meanwhile_is_no_finding(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "names_in", lambda folder: [uuid4().hex] if folder == spool.work else [])
    spool.lock()
    assert verify(spool) == []
