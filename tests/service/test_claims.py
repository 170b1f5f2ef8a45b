from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.service import claims
from edge_sr.service.claims import Claim, begin_attempt, claim, copy_claimed, drop, give_back
from edge_sr.service.faults import StillWritten, Unfit
from edge_sr.service.recovery import recover
from edge_sr.service.spool import Spool
from tests.service.spools import MOST_BYTES, contents, listing, new_spool, put
from tests.service.test_rename import HOSTILE


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with new_spool(tmp_path) as opened:
        yield opened


def taken(spool: Spool, name: str) -> Claim:
    held = claim(spool, name)
    assert held is not None
    return held


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_goes_all_the_way(spool: Spool, name: str) -> None:
    put(spool, name, b"picture")
    held = taken(spool, name)
    assert listing(spool)["work"] == [held.job, f"{held.job}/{name}"]
    with copy_claimed(spool, held, most_bytes=MOST_BYTES) as content:
        assert os.read(content.descriptor, 100) == b"picture"
    assert drop(spool, [held]) == [name]
    assert contents(spool.path / "done") == {name: b"picture"}
    assert listing(spool)["work"] == []


def test_a_name_that_is_gone_leaves_no_claim(spool: Spool) -> None:
    assert claim(spool, "gone.png") is None
    assert listing(spool)["work"] == []


def test_a_copy_can_be_changed_by_nobody(spool: Spool) -> None:
    put(spool, "a.png", b"picture")
    with copy_claimed(spool, taken(spool, "a.png"), most_bytes=MOST_BYTES) as content:
        with pytest.raises(PermissionError):
            os.write(content.descriptor, b"other")
        with pytest.raises(PermissionError):
            os.ftruncate(content.descriptor, 0)
        assert fcntl.fcntl(content.descriptor, fcntl.F_GET_SEALS) & fcntl.F_SEAL_WRITE


def test_what_is_written_to_the_file_after_the_copy_does_not_count(spool: Spool) -> None:
    with put(spool, "a.png", b"picture").open("r+b", buffering=0) as writer:
        held = taken(spool, "a.png")
        with copy_claimed(spool, held, most_bytes=MOST_BYTES) as content:
            writer.write(b"hostile")
            assert os.pread(content.descriptor, 100, 0) == b"picture"


def make_special(path: Path, kind: str) -> None:
    if kind == "link":
        path.symlink_to("/etc/passwd")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        os.chdir(path.parent)  # the path of a socket is short
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)


@pytest.mark.parametrize(
    ("kind", "code"), [("link", "link"), *((k, "special-file") for k in ("pipe", "folder", "socket"))]
)
def test_what_is_no_file_is_unfit_and_not_opened(
    spool: Spool, monkeypatch: pytest.MonkeyPatch, kind: str, code: str
) -> None:
    monkeypatch.chdir(spool.path)
    make_special(spool.path / "incoming" / "a.png", kind)
    held = taken(spool, "a.png")
    monkeypatch.setattr(claims, "open_regular", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(Unfit) as caught:
        copy_claimed(spool, held, most_bytes=MOST_BYTES)
    assert caught.value.reason == code


@pytest.mark.parametrize("content", [b"", bytes(101)])
def test_an_empty_and_an_oversized_file_are_refused(spool: Spool, content: bytes) -> None:
    put(spool, "a.png", content)
    with pytest.raises(Unfit) as caught:
        copy_claimed(spool, taken(spool, "a.png"), most_bytes=100)
    assert caught.value.reason == "refused"


def test_a_file_of_several_names_is_given_back(spool: Spool) -> None:
    (spool.path / "incoming" / ".hidden").hardlink_to(put(spool, "a.png"))
    with pytest.raises(StillWritten):
        copy_claimed(spool, taken(spool, "a.png"), most_bytes=100)


def test_a_file_that_changes_while_it_is_read_is_still_written(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(spool, "a.png", b"first half")
    held = taken(spool, "a.png")
    read = os.read

    def read_and_write(descriptor: int, size: int) -> bytes:
        with (spool.path / "work" / held.path).open("ab") as writer:
            writer.write(b"more")
        return read(descriptor, size)

    monkeypatch.setattr(os, "read", read_and_write)
    with pytest.raises(StillWritten):
        copy_claimed(spool, held, most_bytes=MOST_BYTES)
    monkeypatch.undo()
    assert give_back(spool, held) and path.read_bytes().startswith(b"first half")
    assert listing(spool)["work"] == []


def test_a_copy_without_its_end_is_still_written(spool: Spool) -> None:
    put(spool, "a.png")
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(StillWritten):
        copy_claimed(spool, taken(spool, "a.png"), most_bytes=100, ends=lambda descriptor: False)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_name_that_is_taken_stays_claimed(spool: Spool) -> None:
    put(spool, "a.png", b"first")
    held = taken(spool, "a.png")
    put(spool, "a.png", b"second")
    assert not give_back(spool, held)
    assert (spool.path / "work" / held.path).read_bytes() == b"first"


def test_a_name_that_is_taken_in_done_gets_the_jobs_digits(spool: Spool) -> None:
    for content in (b"first", b"second"):
        put(spool, "a.png", content)
        held = taken(spool, "a.png")
        (name,) = drop(spool, [held])
    assert name == f"a.{held.job[:8]}.png"
    assert contents(spool.path / "done") == {"a.png": b"first", name: b"second"}


def test_dropping_twice_is_right(spool: Spool) -> None:
    put(spool, "a.png")
    held = taken(spool, "a.png")
    drop(spool, [held])
    drop(spool, [held])
    assert listing(spool)["done"] == ["a.png"]


def test_a_job_at_which_the_service_dies_is_tried_eight_times(spool: Spool) -> None:
    put(spool, "a.png")
    begin_attempt(spool, taken(spool, "a.png"))  # and dies
    for earlier in range(1, 8):
        (held,) = recover(spool).claims
        assert held.attempts == earlier
        begin_attempt(spool, held)
    (held,) = recover(spool).claims
    with pytest.raises(Unfit) as caught:
        begin_attempt(spool, held)
    assert caught.value.reason == "too-often"


def test_giving_back_forgets_the_attempts(spool: Spool) -> None:
    put(spool, "a.png")
    held = replace(taken(spool, "a.png"), recovered=True, attempts=3)
    begin_attempt(spool, held)
    assert give_back(spool, held)
    assert taken(spool, "a.png").attempts == 0 and listing(spool)["incoming"] == []
