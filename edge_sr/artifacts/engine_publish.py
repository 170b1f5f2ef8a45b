"""The engine cache, as it is written: one build at a time, and an entry is whole under its name or not there.

Folders with a dot before their name are nobody's engines: ``.building-`` is filled by a build, ``.retired-`` is an
entry that steps aside for a newer build of its key, ``.removed-`` is on its way out. Each step from one state to the
next is one rename, so a process that is killed leaves the old entry or the new one, and what else it leaves the next
holder of the lock sweeps.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.artifacts.engine_entry import RETIRED, Damaged, Entry
from edge_sr.artifacts.engine_folder import FULL, OTHER_FOLDER, faults, no_space
from edge_sr.artifacts.engine_manifest import MANIFEST, EngineManifest, parse_engine_manifest
from edge_sr.artifacts.strict_json import parse_json
from edge_sr.artifacts.trust import FILE_MODE, FOLDER_MODE
from edge_sr.errors import EnvironmentFault, IntegrityError

BUILDING = ".building-"
REMOVED = ".removed-"
_LEFTOVER = re.compile(rf"({re.escape(BUILDING)}|{re.escape(REMOVED)})[0-9]+-[0-9a-f]{{8}}")  # as _hidden names them


@contextmanager
def staging(folder: Path) -> Iterator[Path]:
    """A new folder inside the cache for ``publish``; it is gone afterwards, however the build ended. Needs the lock."""
    sweep(folder)
    path = _hidden(folder, BUILDING)
    try:
        with faults(folder):
            path.mkdir(mode=0o700)
            if path.stat().st_mode & 0o077:  # FAT and some network mounts give every folder one and the same mode
                what = "its file system keeps no owners and modes"
                raise EnvironmentFault(what, where=folder, expected="one that does, such as ext4", hint=OTHER_FOLDER)
        yield path
    except OSError as error:
        if error.errno in FULL:
            raise no_space(folder) from error
        raise
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(staging: Path, manifest: EngineManifest) -> Entry:
    """Turn ``staging``, which holds every file but the manifest, into the entry of its key. Needs the lock.

    sha256s, bytes and the time are filled in here. When it returns the entry is on the disk, also after a power cut;
    an older entry of the same key is gone. IntegrityError where the entry would not pass ``Entry.verify``.
    """
    folder = staging.parent
    with faults(folder):
        for path in staging.iterdir():
            if path.is_symlink() or not path.is_file():
                raise IntegrityError("is no plain file, so it cannot be published", where=path)
        complete = _completed(manifest, staging)
        _write_manifest(staging / MANIFEST, complete)
        for path in staging.iterdir():
            path.chmod(FILE_MODE)
            _to_disk(path)
        staging.chmod(FOLDER_MODE)
        _to_disk(staging)
        target = folder / complete.folder_name
        _replace(staging, target)
    entry = Entry.open(target)
    entry.verify()
    return entry


def _completed(manifest: EngineManifest, staging: Path) -> EngineManifest:
    sha256s = {path.name: file_sha256(path) for path in sorted(staging.iterdir()) if path.name != MANIFEST}
    engines = {}
    for role, engine in manifest.engines.items():
        if engine.file not in sha256s:
            raise IntegrityError(f"file of the engine {role!r} is missing", where=staging / engine.file)
        size = (staging / engine.file).stat().st_size
        engines[role] = replace(engine, sha256=sha256s[engine.file], bytes=size)
    others = sha256s.keys() - {engine.file for engine in engines.values()}
    created = manifest.created or datetime.now(timezone.utc).isoformat(timespec="seconds")
    return replace(manifest, engines=engines, files={name: sha256s[name] for name in sorted(others)}, created=created)


def _write_manifest(path: Path, manifest: EngineManifest) -> None:
    """What could not be read back is refused here and not by every later reader."""
    content = (json.dumps(manifest.to_json(), indent=2) + "\n").encode()
    parse_engine_manifest(parse_json(content, path), path)
    path.write_bytes(content)


def _replace(staging: Path, target: Path) -> None:
    """Rename; an older entry steps aside first and comes back if that fails. The folder is on the disk afterwards."""
    retired = target.with_name(RETIRED + target.name)
    if os.path.lexists(target):
        _discard(retired)
        target.rename(retired)
    try:
        staging.rename(target)
    except OSError:
        if os.path.lexists(retired):
            retired.rename(target)
        raise
    _to_disk(target.parent)
    _discard(retired)


def remove(entry: Entry | Damaged) -> None:
    """Take an entry out of the cache. Needs the lock. EnvironmentFault where it is not this user's to remove."""
    cache, name = entry.folder.parent, entry.folder.name.removeprefix(RETIRED)
    with faults(cache):
        _discard(cache / f"{RETIRED}{name}")  # first: without its namesake it would count as the entry again
        _discard(cache / name)


def leftovers(folder: Path) -> list[Path]:
    """What builds that were killed have left in a cache folder; only the holder of the lock knows they are dead."""
    with faults(folder):
        names = {path.name for path in folder.iterdir()}
    dead = {name for name in names if _LEFTOVER.fullmatch(name)}
    replaced = {name for name in names if name.startswith(RETIRED) and name.removeprefix(RETIRED) in names}
    return [folder / name for name in sorted(dead | replaced)]


def sweep(folder: Path) -> None:
    """Remove the leftovers, and bring back an entry whose replacement never came. Needs the lock."""
    for path in leftovers(folder):
        with suppress(OSError):  # root's are root's to remove, and must not keep others from building
            _discard(path)
    with faults(folder):
        for path in folder.glob(f"{RETIRED}*"):
            path.rename(path.with_name(path.name.removeprefix(RETIRED)))


def _discard(path: Path) -> None:
    """Gone in one step for every reader, and from the disk in many."""
    if path.is_symlink():
        path.unlink()
    elif path.exists():
        hidden = path if path.name.startswith(REMOVED) else path.rename(_hidden(path.parent, REMOVED))
        shutil.rmtree(hidden)


def _hidden(folder: Path, prefix: str) -> Path:
    return folder / f"{prefix}{os.getpid()}-{secrets.token_hex(4)}"


def _to_disk(path: Path) -> None:
    """Of a folder this writes the names in it (fsync(2): a file's own fsync does not)."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
