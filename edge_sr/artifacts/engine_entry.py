"""One entry of the engine cache: a folder with the engines of one chain, checked before any of them is loaded."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.artifacts.engine_key import EngineKey
from edge_sr.artifacts.engine_manifest import MANIFEST, EngineManifest, NewerSchema, parse_engine_manifest
from edge_sr.artifacts.strict_json import MAX_JSON_BYTES, parse_json
from edge_sr.artifacts.trust import check_hands
from edge_sr.errors import IntegrityError

REBUILD = "edge-sr engines prune; edge-sr build"
RETIRED = ".retired-"  # before the name of an entry that steps aside for a newer build of its key


@dataclass(frozen=True)
class Damaged:
    """A folder that cannot be used, and why. newer: a later release wrote it, so it may well be sound."""

    folder: Path
    error: IntegrityError
    newer: bool = False

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def reason(self) -> str:
        """The error in one line, without the folder it is about."""
        what = self.error.what + (f"; expected {self.error.expected}" if self.error.expected else "")
        place = self.error.where.removeprefix(str(self.folder)).lstrip("/")
        return f"{place}: {what}" if place else what


@dataclass(frozen=True)
class Entry:
    """An entry whose manifest could be read. Nothing else of it is known before ``verify``."""

    folder: Path
    manifest: EngineManifest

    @classmethod
    def open(cls, folder: Path) -> Entry:
        """Raises IntegrityError naming the file or field, NewerSchema where a later release wrote the entry."""
        path = folder / MANIFEST
        try:
            if folder.is_symlink() or path.is_symlink():
                link = folder if folder.is_symlink() else path
                raise _broken(link, "is a symbolic link", "a file or folder of its own")
            if not folder.is_dir():
                raise _broken(folder, "is no folder")
            if not path.is_file():
                raise _broken(path, "file is missing")
            with path.open("rb") as file:
                content = file.read(MAX_JSON_BYTES + 1)
        except OSError as error:
            raise _broken(path, f"cannot be read: {error.strerror or error}") from error
        return cls(folder, parse_engine_manifest(parse_json(content, path), path))

    @property
    def name(self) -> str:
        """As it was published; while a newer build of the same key replaces it, its folder has a prefix."""
        return self.manifest.folder_name

    @property
    def key(self) -> EngineKey:
        return self.manifest.key

    @property
    def bytes(self) -> int:
        """Of all its files."""
        return folder_bytes(self.folder)

    def engines(self) -> dict[str, Path]:
        """The compiled file of every role."""
        return {role: self.folder / engine.file for role, engine in self.manifest.engines.items()}

    def verify(self) -> None:
        """IntegrityError naming the file, the reason and what mends it, unless every byte is as it was published.

        Folder, files and the cache around them must belong to this user or root and be writable by their owner alone;
        no file may be a link, missing, unlisted or changed. The cache folder itself may be reached by a link.
        """
        try:
            self._verify()
        except OSError as error:
            raise _broken(Path(error.filename or self.folder), f"cannot be read: {error.strerror or error}") from error

    def _verify(self) -> None:
        cache = self.folder.parent
        check_hands(cache, cache.stat(), hint="export EDGE_SR_CACHE=/another/folder")
        status = self.folder.lstat()
        if not stat.S_ISDIR(status.st_mode):
            raise _broken(self.folder, "is no folder of its own")
        check_hands(self.folder, status, hint=REBUILD)
        if self.folder.name.removeprefix(RETIRED) != self.name:
            raise _broken(self.folder, "folder was renamed", self.name)
        present = {path.name for path in self.folder.iterdir()}
        self._check_listing(present)
        for name in sorted(present):
            _check_file(self.folder / name)
        if Entry.open(self.folder) != self:  # it was read before its owner and mode were known
            raise _broken(self.folder / MANIFEST, "file was changed just now")
        for name, sha256 in self.manifest.hashes().items():
            if (found := file_sha256(self.folder / name)) != sha256:
                what = f"file was changed: its sha256 is {found[:12]}..."
                raise _broken(self.folder / name, what, f"{sha256[:12]}...")

    def _check_listing(self, present: set[str]) -> None:
        listed = {MANIFEST, *self.manifest.hashes()}
        if missing := sorted(listed - present):
            raise _broken(self.folder / missing[0], "file is missing", f"it, as {MANIFEST} lists it")
        if unlisted := sorted(present - listed):
            raise _broken(self.folder / unlisted[0], f"file is not listed in {MANIFEST}", "no other file")


def read_entry(folder: Path) -> Entry | Damaged:
    """The entry, or what is wrong with it; never raises."""
    try:
        return Entry.open(folder)
    except IntegrityError as error:
        return Damaged(folder, error, newer=isinstance(error, NewerSchema))


def folder_bytes(folder: Path) -> int:
    """Bytes of all regular files below ``folder``, links not followed; what cannot be read counts nothing."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(Path(parent, name)).st_size
            except OSError:
                continue
    return total


def _check_file(path: Path) -> None:
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        kind = "symbolic link" if stat.S_ISLNK(status.st_mode) else "folder, pipe or device"
        raise _broken(path, f"is a {kind}", "a file of its own")
    check_hands(path, status, hint=REBUILD)


def _broken(path: Path, what: str, expected: str = "") -> IntegrityError:
    return IntegrityError(what, where=path, expected=expected, hint=REBUILD)
