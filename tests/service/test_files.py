from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.service.files import names_in, open_regular, write_new, write_small


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_file_is_not_read_nor_waited_for(tmp_path: Path, folder: int, kind: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    path = tmp_path / "a"
    {"link": lambda: path.symlink_to("secret"), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir}[kind]()
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError):
        open_regular("a", folder=folder)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_link_in_place_of_a_new_file_is_not_written_through(tmp_path: Path, folder: int) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "a").symlink_to("secret")
    write_new("a", b"content", folder=folder)
    assert (tmp_path / "secret").read_bytes() == b"secret" and (tmp_path / "a").read_bytes() == b"content"
    assert not (tmp_path / "a").is_symlink()


def test_a_write_that_fails_leaves_no_file(tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(os, "fsync", broken)
    for write in (write_new, write_small):
        with pytest.raises(OSError, match="no disk"):
            write("a", b"content", folder=folder)
    assert list(tmp_path.iterdir()) == []


def test_a_write_may_take_several_calls(tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
    write_new("a", b"ten bytes.", folder=folder)
    assert (tmp_path / "a").read_bytes() == b"ten bytes."


def test_a_small_file_replaces_none(tmp_path: Path, folder: int) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        write_small("a", b"new", folder=folder)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_folder_can_be_listed_again_and_again(tmp_path: Path, folder: int) -> None:
    (tmp_path / "a").write_bytes(b"")
    assert names_in(folder) == names_in(folder) == ["a"]
