from __future__ import annotations

import errno
import os
import stat
import threading
from pathlib import Path

import pytest

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from edge_sr.image import atomic
from edge_sr.image.atomic import read_whole, write_atomically


def test_content_is_published_and_nothing_else_is_left(tmp_path: Path) -> None:
    write_atomically(tmp_path / "a.png", b"content")
    assert (tmp_path / "a.png").read_bytes() == b"content"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.png"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "a.png", b"content")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o640


def test_an_existing_target_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(UsageError, match="--overwrite"):
        write_atomically(tmp_path / "a.png", b"new")
    assert (tmp_path / "a.png").read_bytes() == b"old"


def test_overwrite_replaces(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    write_atomically(tmp_path / "a.png", b"new", overwrite=True)
    assert (tmp_path / "a.png").read_bytes() == b"new"


def test_a_durable_file_is_on_the_disk_before_its_name_and_the_name_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, bool]] = []

    def fsync(descriptor: int) -> None:
        what = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        seen.append((what, (tmp_path / "a.png").exists()))

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    write_atomically(tmp_path / "a.png", b"content", durable=True)
    assert seen == [("file", False), ("folder", True)]
    write_atomically(tmp_path / "b.png", b"content")
    assert len(seen) == 2


@pytest.mark.parametrize("links", [True, False])
def test_of_many_writers_at_once_exactly_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    if not links:
        monkeypatch.setattr(atomic.os, "link", _refuse_links)
    refused: list[UsageError] = []

    def write(number: int) -> None:
        try:
            write_atomically(tmp_path / "a.png", b"%d" % number * 1000)
        except UsageError as fault:
            refused.append(fault)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for step in (threading.Thread.start, threading.Thread.join):
        for writer in writers:
            step(writer)
    assert len(refused) == 7
    assert len(set((tmp_path / "a.png").read_bytes())) == 1
    assert len(list(tmp_path.iterdir())) == 1


def _refuse_links(*_: object) -> None:
    raise OSError(errno.EPERM, "no hard links here, as on FAT")


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_fills_up_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(part: Path, content: bytes) -> None:
        part.write_bytes(content[:3])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic, "_write_through", full)
    with pytest.raises(EnvironmentFault, match="no space" if number != errno.EIO else "Input/output"):
        write_atomically(tmp_path / "a.png", b"content")
    assert list(tmp_path.iterdir()) == []


def test_a_file_size_limit_leaves_the_old_file_whole(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    (tmp_path / "a.png").write_bytes(b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(EnvironmentFault, match="no space"):
            write_atomically(tmp_path / "a.png", bytes(100_000), overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [entry.read_bytes() for entry in tmp_path.iterdir()] == [b"old"]


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(atomic.os, "link", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "a.png", b"content")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(EnvironmentFault, match="cannot be written"):
        write_atomically(tmp_path / "a.png", b"content")
    tmp_path.chmod(0o700)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="mkdir -p .*/nowhere"):
        write_atomically(tmp_path / "nowhere" / "a.png", b"content")


def test_a_folder_as_target_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder"):
        write_atomically(tmp_path, b"content", overwrite=True)


@pytest.mark.parametrize("name", ["a" * 251 + ".png", "ä" * 125 + ".png"])
def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path, name: str) -> None:
    write_atomically(tmp_path / name, b"content")
    assert (tmp_path / name).read_bytes() == b"content"


@pytest.mark.parametrize("overwrite", [True, False])
def test_a_symlink_is_replaced_or_refused_but_not_followed(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "elsewhere").write_bytes(b"old")
    (tmp_path / "a.png").symlink_to("elsewhere")
    if overwrite:
        write_atomically(tmp_path / "a.png", b"new", overwrite=True)
    else:
        with pytest.raises(UsageError):
            write_atomically(tmp_path / "a.png", b"new")
    assert (tmp_path / "elsewhere").read_bytes() == b"old"


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(InputError, match="pipe"):
        read_whole(tmp_path / "pipe.png", max_bytes=100)


def test_a_folder_a_missing_and_an_oversized_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(bytes(101))
    for name, reason in (("", "folder"), ("missing", "No such file"), ("large", "too large")):
        with pytest.raises(InputError, match=reason):
            read_whole(tmp_path / name, max_bytes=100)
