from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.service import rename
from edge_sr.service.rename import rename_noreplace

HOSTILE = [
    "-rf",
    "a\nb\x1b[31m.png",
    "ä" * 127,
    os.fsdecode(b"\xff\xfe.png"),
    " ",
    "$(reboot).png",
    "a" * 255,
]


def refused(number: int) -> object:
    def call(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture(params=["flag", "links"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system with RENAME_NOREPLACE, and one with hard links alone."""
    if request.param != "flag":
        monkeypatch.setattr(rename, "_renameat2", refused(errno.EINVAL))
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def move(source: str, target: str, folder: int) -> None:
    rename_noreplace(source, target, source_folder=folder, target_folder=folder)


@pytest.mark.parametrize("name", HOSTILE)
def test_any_name_is_moved(tmp_path: Path, folder: int, kind: str, name: str) -> None:
    (tmp_path / name).write_bytes(b"content")
    move(name, "there", folder)
    move("there", name, folder)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"content")]


def test_a_file_in_the_way_is_kept(tmp_path: Path, folder: int, kind: str) -> None:
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        move("new", "old", folder)
    assert (tmp_path / "old").read_bytes() == b"old" and (tmp_path / "new").read_bytes() == b"new"


@pytest.mark.parametrize("full", [True, False])
def test_a_folder_is_moved_and_one_in_the_way_is_kept(tmp_path: Path, folder: int, kind: str, full: bool) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").write_bytes(b"new")
    (tmp_path / "old").mkdir()
    if full:
        (tmp_path / "old" / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError):
        move("new", "old", folder)
    move("new", "third", folder)
    assert (tmp_path / "third" / "file").read_bytes() == b"new" and (tmp_path / "old").exists()


def test_a_link_is_moved_itself(tmp_path: Path, folder: int, kind: str) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to("secret")
    move("link", "moved", folder)
    assert (tmp_path / "moved").readlink() == Path("secret") and (tmp_path / "secret").read_bytes() == b"secret"


def test_a_link_in_the_way_is_not_written_through(tmp_path: Path, folder: int, kind: str) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "new").write_bytes(b"new")
    with pytest.raises(FileExistsError):
        move("new", "link", folder)
    assert not (tmp_path / "nowhere").exists() and (tmp_path / "new").exists()


def test_a_missing_source_is_told(folder: int, kind: str) -> None:
    with pytest.raises(FileNotFoundError):
        move("gone", "there", folder)


def test_without_either_way_nothing_is_moved(tmp_path: Path, folder: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rename, "_renameat2", refused(errno.EINVAL))
    monkeypatch.setattr(os, "link", refused(errno.EPERM))
    (tmp_path / "old").write_bytes(b"old")
    with pytest.raises(PermissionError):
        move("old", "new", folder)
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
