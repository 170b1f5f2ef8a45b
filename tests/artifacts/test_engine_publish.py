"""An entry is published whole, at any moment, whoever dies."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.artifacts.engine_cache import entries, find
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.artifacts.engine_folder import build_lock
from edge_sr.artifacts.engine_manifest import EngineFile
from edge_sr.artifacts.engine_publish import leftovers, publish, remove, staging, sweep
from edge_sr.errors import EnvironmentFault, IntegrityError
from tests.engine_entries import FILES, KEY, manifest_of, never, put

KILLS = 50
NEWER = {**FILES, "upscale.ort": b"a newer engine"}
OTHER_KEY = replace(KEY, precision="fp16")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "engines"
    folder.mkdir(mode=0o755)
    return folder


def content(entry: Entry) -> bytes:
    return entry.engines()["upscale"].read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def in_a_child(work: Callable[[], object]) -> int:
    """The process id of a child that does ``work`` and nothing else."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)  # pytest is not to go on twice
    return pid


def test_a_newer_build_of_a_key_replaces_the_older(cache: Path) -> None:
    put(cache)
    entry = put(cache, files=NEWER)
    assert content(entry) == b"a newer engine"
    assert names(cache) == [".lock", entry.name]


@pytest.mark.parametrize("umask", [0o002, 0o077])
def test_an_entry_verifies_whatever_the_umask(cache: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        entry = put(cache)
    finally:
        os.umask(before)
    assert entry.folder.stat().st_mode & 0o777 == 0o755
    assert {path.stat().st_mode & 0o777 for path in entry.folder.iterdir()} == {0o644}


def test_everything_is_on_the_disk_before_the_name_and_the_name_before_the_end(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, rename = os.fsync, Path.rename

    def traced_fsync(descriptor: int) -> None:
        steps.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
        fsync(descriptor)

    def traced_rename(source: Path, target: Path) -> Path:
        steps.append("rename")
        return rename(source, target)

    monkeypatch.setattr(os, "fsync", traced_fsync)
    monkeypatch.setattr(Path, "rename", traced_rename)
    put(cache)
    assert set(steps[:3]) == {"manifest.json", "upscale.ort", "build.log"}
    assert steps[3].startswith(".building-") and steps[4:] == ["rename", "engines"]


def test_a_failed_build_leaves_nothing(cache: Path) -> None:
    with pytest.raises(KeyboardInterrupt), build_lock(cache, never), staging(cache) as path:
        (path / "upscale.ort").write_bytes(b"half")
        raise KeyboardInterrupt
    assert names(cache) == [".lock"]


def test_a_full_disk_is_told_with_what_to_type(cache: Path) -> None:
    said = "no space for an engine\n  try: edge-sr engines prune; df -h"
    with pytest.raises(EnvironmentFault, match=said), build_lock(cache, never), staging(cache):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert names(cache) == [".lock"]


def test_the_older_entry_comes_back_where_the_rename_fails(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old, rename = put(cache), Path.rename

    def full(source: Path, target: Path) -> Path:
        if source.name.startswith(".building-"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(EnvironmentFault, match="no space"):
        put(cache, files=NEWER)
    assert find(KEY, folders=[cache]) == old and content(old) == b"engine"


def test_a_missing_engine_is_not_published(cache: Path) -> None:
    manifest = manifest_of(engines={"upscale": EngineFile("other.ort")})
    with pytest.raises(IntegrityError, match="file of the engine 'upscale' is missing"):
        put(cache, manifest)
    assert list(entries(cache)) == []


def test_an_engine_that_failed_its_check_is_not_published(cache: Path) -> None:
    with pytest.raises(IntegrityError, match="verdict.passed: got False"):
        put(cache, manifest_of(verdict={"passed": False}))
    assert list(entries(cache)) == []


def test_a_link_is_not_published(cache: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"engine")
    with pytest.raises(IntegrityError, match="is no plain file"), build_lock(cache, never), staging(cache) as path:
        (path / "upscale.ort").symlink_to(tmp_path / "elsewhere")
        publish(path, manifest_of())


def test_a_file_system_without_modes_is_told_before_the_build(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mkdir = Path.mkdir
    monkeypatch.setattr(Path, "mkdir", lambda path, mode=0o777: (mkdir(path), path.chmod(0o777)))
    with pytest.raises(EnvironmentFault, match="keeps no owners and modes"), staging(cache):
        pass
    assert names(cache) == []


def test_what_is_removed_stays_removed(cache: Path) -> None:
    entry = put(cache)
    shutil.copytree(entry.folder, cache / f".retired-{entry.name}")
    remove(entry)
    assert names(cache) == [".lock"]


def test_leftovers_are_swept_and_nothing_else(cache: Path) -> None:
    entry = put(cache)
    for name in (".building-12-0123abcd", ".removed-12-0123abcd", f".retired-{entry.name}", ".mine", "mine"):
        (cache / name).mkdir()
    assert [path.name[:4] for path in leftovers(cache)] == [".bui", ".rem", ".ret"]
    sweep(cache)
    assert names(cache) == [".lock", ".mine", "mine", entry.name]


def test_a_leftover_that_cannot_be_removed_stops_no_build(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(path: Path, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(errno.EACCES, "Permission denied")

    (cache / ".removed-12-0123abcd").mkdir()
    monkeypatch.setattr(shutil, "rmtree", forbidden)
    put(cache)
    assert ".removed-12-0123abcd" in names(cache)


def test_an_entry_whose_replacement_never_came_is_read_and_brought_back(cache: Path) -> None:
    entry = put(cache)
    entry.folder.rename(cache / f".retired-{entry.name}")
    found = find(KEY, folders=[cache])
    assert found is not None and found.folder.name.startswith(".retired-")
    sweep(cache)
    assert find(KEY, folders=[cache]) == entry


def dying(act: Callable[..., object], *, at_call: int) -> Callable[..., object]:
    """``act``, but for the call in whose place the process is killed."""
    left = [at_call]

    def instead(*args: object, **kwargs: object) -> object:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return act(*args, **kwargs)

    return instead


@pytest.mark.parametrize(("owner", "name"), [(Path, "rename"), (os, "unlink"), (os, "fsync")])
@pytest.mark.parametrize("at_call", [1, 2, 3])
def test_killed_at_any_step_of_a_replacement_the_old_or_the_new_one_stands(
    cache: Path, owner: object, name: str, at_call: int
) -> None:
    put(cache)

    def die() -> None:
        setattr(owner, name, dying(getattr(owner, name), at_call=at_call))
        put(cache, files=NEWER)

    _, status = os.waitpid(in_a_child(die), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    _check_after_a_kill(cache)


@pytest.mark.parametrize("at_call", [1, 2, 3])
def test_killed_while_it_removes_it_leaves_the_entry_or_none(cache: Path, at_call: int) -> None:
    entry = put(cache)

    def die() -> None:
        os.unlink = dying(os.unlink, at_call=at_call)  # type: ignore[assignment]
        remove(entry)

    _, status = os.waitpid(in_a_child(die), 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert list(entries(cache)) == [] and len(leftovers(cache)) == 1
    sweep(cache)
    assert names(cache) == [".lock"]


def _check_after_a_kill(cache: Path) -> None:
    """The entry of KEY stands, old or new, nothing is half, the next build succeeds and nothing is left over."""
    found = find(KEY, folders=[cache])
    assert found is not None and content(found) in (FILES["upscale.ort"], NEWER["upscale.ort"])
    for each in entries(cache):
        assert isinstance(each, Entry), each
        each.verify()
    put(cache)
    assert leftovers(cache) == []
    assert {name for name in names(cache) if name.startswith(".")} == {".lock"}


def test_killed_at_any_moment_no_half_entry_is_left(cache: Path) -> None:
    reader, writer = os.pipe()

    def build_on_and_on() -> None:
        os.write(writer, b".")
        while True:
            put(cache, files=NEWER)
            remove(put(cache, manifest_of(OTHER_KEY)))
            put(cache)

    put(cache)
    moments, interrupted = random.Random(4), 0
    for _ in range(KILLS):
        pid = in_a_child(build_on_and_on)
        os.read(reader, 1)
        time.sleep(moments.uniform(0, 0.05))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL  # it had not ended by an error
        interrupted += any(name.startswith(".") and name != ".lock" for name in names(cache))
        _check_after_a_kill(cache)
    assert interrupted > KILLS / 5  # it was really at work
