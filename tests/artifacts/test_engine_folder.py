"""The folder that a build writes to: made, in good hands, and one build's at a time."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from threading import Semaphore, Thread

import pytest

from edge_sr.artifacts import engine_cache
from edge_sr.artifacts.engine_folder import build_lock, cache_to_write
from edge_sr.errors import EnvironmentFault
from tests.engine_entries import never


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's home; the folder of the machine lies below tmp_path/var."""
    monkeypatch.delenv("EDGE_SR_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(engine_cache, "SYSTEM", tmp_path / "var" / "edge-sr" / "engines")
    (tmp_path / "home").mkdir()
    (tmp_path / "var").mkdir()
    return tmp_path / "home"


def closed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """As if ``folder`` and what is in it could not be written: root may write to any mode."""
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not Path(path).is_relative_to(folder) and access(path, mode))


def test_the_folder_of_the_machine_is_made_where_that_is_possible(home: Path) -> None:
    assert cache_to_write() == engine_cache.SYSTEM
    assert engine_cache.SYSTEM.is_dir()


def test_else_the_users_own_is_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed(monkeypatch, home.parent / "var")
    assert cache_to_write() == home / ".cache/edge-sr/engines"
    assert cache_to_write().is_dir()


def test_a_chosen_folder_that_cannot_be_written_is_not_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path))
    closed(monkeypatch, tmp_path)
    with pytest.raises(EnvironmentFault, match=r"cannot be written\n  try: EDGE_SR_CACHE="):
        cache_to_write()


@pytest.mark.parametrize("umask", [0o002, 0o077])
def test_the_umask_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int) -> None:
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path / "a/b"))
    before = os.umask(umask)
    try:
        cache_to_write()
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "a", tmp_path / "a/b")] == [0o755, 0o755]


def test_a_folder_that_the_group_may_write_is_refused_before_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path))
    tmp_path.chmod(0o775)
    with pytest.raises(EnvironmentFault, match=rf"mode 0775.*\n  try: chmod go-w '{tmp_path}'"):
        cache_to_write()


def test_a_file_in_its_place_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path / "file" / "engines"))
    with pytest.raises(EnvironmentFault, match="cannot be written: Not a directory"):
        cache_to_write()


def test_the_second_build_waits_and_is_told_for_whom(tmp_path: Path) -> None:
    told: list[int] = []
    order: list[str] = []

    asked = Semaphore(0)

    def waits(pid: int) -> None:
        told.append(pid)
        asked.release()

    def second() -> None:
        with build_lock(tmp_path, waits):
            order.append("second")

    other = Thread(target=second)
    with build_lock(tmp_path, never):
        other.start()
        assert asked.acquire(timeout=5)
        order.append("first")
    other.join(5)
    assert (told, order) == ([os.getpid()], ["first", "second"])


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), build_lock(tmp_path, never):
        raise ZeroDivisionError
    with build_lock(tmp_path, never):
        assert (tmp_path / ".lock").read_text() == f"{os.getpid()}\n"


def test_a_full_disk_does_not_keep_the_lock_from_who_makes_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, content: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with build_lock(tmp_path, never):
        pass


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with (
        pytest.raises(EnvironmentFault, match="no locks .*; expected a local disk\n  try: EDGE_SR_CACHE="),
        build_lock(tmp_path, never),
    ):
        pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(EnvironmentFault, match=r"\.lock"), build_lock(tmp_path, never):
        pass
    assert (tmp_path / "precious").read_text() == "kept"
