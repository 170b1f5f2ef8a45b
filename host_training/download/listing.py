"""The list of what can be downloaded: addresses, sizes and checksums, as a JSON file that anybody can write."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sr.artifacts.strict_json import Fields
from edge_sr.errors import InputError, UsageError
from edge_sr.image.atomic import read_whole

NIH_CHESTXRAY14 = Path(__file__).with_name("nih_archives.json")
ARCHIVE_SUFFIXES = (".tar.gz", ".tgz")

_SCHEMA_VERSION = 1
_MAX_LISTING_BYTES = 1 << 20
_MAX_FILE_BYTES = 1 << 44  # 16 TiB
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CHECKSUMS = {"md5": re.compile(r"[0-9a-f]{32}"), "sha256": re.compile(r"[0-9a-f]{64}")}


@dataclass(frozen=True)
class Entry:
    """One file to fetch. ``size`` (in bytes), ``md5`` and ``sha256`` are None where nobody published them."""

    name: str
    urls: tuple[str, ...]  # the same file; a later one is asked where an earlier one refuses
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None

    @property
    def is_archive(self) -> bool:
        return self.name.endswith(ARCHIVE_SUFFIXES)

    @property
    def has_checksum(self) -> bool:
        return bool(self.md5 or self.sha256)


@dataclass(frozen=True)
class Listing:
    """A data set: small files that always come, and archives to choose from, counted from 1."""

    name: str
    page: str
    terms: str
    files: tuple[Entry, ...]
    archives: tuple[Entry, ...]

    def chosen(self, numbers: Sequence[int]) -> tuple[Entry, ...]:
        """The small files and the archives of these numbers, in the list's order. UsageError for an unknown number."""
        if unknown := sorted(set(numbers) - set(range(1, len(self.archives) + 1))):
            raise UsageError(f"no archive {unknown[0]}", where=self.name, expected=f"1 to {len(self.archives)}")
        return self.files + tuple(self.archives[number - 1] for number in sorted(set(numbers)))


def read_listing(path: Path) -> Listing:
    """The list in a JSON file; ``nih_archives.json`` shows the format.

    Raises InputError for a file that is no JSON, IntegrityError for a field that is missing or unfit.
    """
    try:
        raw = json.loads(read_whole(path, max_bytes=_MAX_LISTING_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error})", where=path, expected="a list like nih_archives.json") from error
    fields = Fields(raw, f"{path}: ")
    fields.integer("schema_version", _SCHEMA_VERSION, _SCHEMA_VERSION)
    files, archives = (_entries(fields, name) for name in ("files", "archives"))
    _each_name_once(fields, files + archives)
    for archive in archives:
        if not archive.is_archive:
            raise fields.unfit("archives", archive.name, f"names ending in {' or '.join(ARCHIVE_SUFFIXES)}")
    return Listing(fields.text("name"), fields.text("page"), fields.text("terms"), files, archives)


def parse_numbers(text: str) -> list[int]:
    """``"1,3,5-7"`` as [1, 3, 5, 6, 7]. Raises UsageError."""
    numbers: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d{1,4})(?:\s*-\s*(\d{1,4}))?\s*", part)
        if not ends:
            raise UsageError(f"cannot read {part!r} in {text!r}", expected="numbers and ranges such as 1,3,5-7")
        first, last = int(ends[1]), int(ends[2] or ends[1])
        if last < first:
            raise UsageError(f"the range {part.strip()} runs backwards", expected=f"{last}-{first}")
        numbers += range(first, last + 1)
    return numbers


def _entries(fields: Fields, name: str) -> tuple[Entry, ...]:
    rows = fields.take(name, "a list of files", lambda value: isinstance(value, list))
    return tuple(_entry(Fields(row, f"{fields.prefix}{name}[{i}].")) for i, row in enumerate(rows))


def _entry(fields: Fields) -> Entry:
    fields.only(("name", "urls", "bytes", "md5", "sha256"))
    return Entry(
        name=fields.matching("name", _NAME, "a file name of letters, digits, '.', '_' and '-'"),
        urls=tuple(fields.take("urls", "a list of http:// or https:// addresses", _are_addresses)),
        size=None if fields.raw.get("bytes") is None else fields.integer("bytes", 1, _MAX_FILE_BYTES),
        **{kind: _checksum(fields, kind) for kind in _CHECKSUMS},
    )


def _checksum(fields: Fields, kind: str) -> str | None:
    if fields.raw.get(kind) is None:
        return None
    return fields.matching(kind, _CHECKSUMS[kind], f"the {kind} in lower-case hexadecimal digits, or null")


def _are_addresses(value: object) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(url, str) and re.fullmatch(r"https?://[!-~]{1,2000}", url) for url in value)
    )


def _each_name_once(fields: Fields, entries: Sequence[Entry]) -> None:
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise fields.unfit("archives", name, "each name once")
