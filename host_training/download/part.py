"""The unfinished file of a download, ``NAME.part``, and beside it ``NAME.part.json``: what it is the beginning of.

Only with that can a later request tell whether the file on the server is still the same.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from edge_sr.image.atomic import write_atomically
from host_training.download.listing import Entry


@dataclass(frozen=True)
class Origin:
    """What the bytes of a part are the beginning of, as the server told it."""

    url: str
    total: int | None
    etag: str = ""
    last_modified: str = ""

    @property
    def validator(self) -> str:
        """For If-Range, which takes strong entity tags and dates only (RFC 9110, 13.1.5); "" for none."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class Part:
    """The unfinished file and its origin."""

    def __init__(self, target: Path, entry: Entry) -> None:
        self.target, self.entry = target, entry
        self.path = target.with_name(f"{target.name}.part")
        self.origin_path = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.is_file() else 0

    def origin(self) -> Origin | None:
        """None where there is none, or an unreadable one: then the part is worth nothing."""
        try:
            return Origin(**json.loads(self.origin_path.read_bytes()))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def expected_size(self) -> int | None:
        """As listed, or else as the server announced it; None where neither said anything."""
        origin = self.origin()
        return self.entry.size if self.entry.size is not None else origin.total if origin else None

    def resumable(self, url: str) -> tuple[int, str]:
        """(bytes to keep, the validator for If-Range); (0, "") where the file must be begun again."""
        origin, size = self.origin(), self.size
        if origin is None or size > (self.expected_size or size):
            return 0, ""
        validator = origin.validator if origin.url == url else ""
        # Without either nobody would notice a file that is put together from two different ones.
        return (size, validator) if validator or self.entry.has_checksum else (0, "")

    def begin(self, origin: Origin, offset: int) -> BinaryIO:
        """The part, open for the bytes from ``offset`` on."""
        # In this order: killed in between, the bytes of one file would else stand under the name of another.
        file = self.path.open("ab" if offset else "wb")
        write_atomically(self.origin_path, json.dumps(asdict(origin)).encode(), overwrite=True)
        return file

    def discard(self) -> None:
        for path in (self.path, self.origin_path):
            path.unlink(missing_ok=True)

    def publish(self) -> None:
        self.path.replace(self.target)
        self.origin_path.unlink(missing_ok=True)
