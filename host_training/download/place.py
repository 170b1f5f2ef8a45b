"""The folder that a data set goes into, and the record of what has come.

OUT/NAME              a small file (the metadata)
OUT/images/...        what the archives hold, under their own names
OUT/archives/         archives on their way, one receipt for each file that has come, and damaged archives
"""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from edge_sr.artifacts.strict_json import Fields
from edge_sr.errors import EnvironmentFault, IntegrityError
from edge_sr.image.atomic import read_whole, write_atomically
from host_training.download.listing import Entry

WORKSHOP = "archives"  # no archive may unpack into it
_MAX_RECEIPT_BYTES = 1 << 28


@dataclass(frozen=True)
class Receipt:
    """What a file was when it came. ``members``: the files unpacked from an archive; None where that is not done."""

    name: str
    size: int
    md5: str
    sha256: str
    members: tuple[str, ...] | None = None


class Place:
    """Paths and receipts of one output folder."""

    def __init__(self, out: Path) -> None:
        self.out = out
        self.workshop = out / WORKSHOP

    def fetched(self, entry: Entry) -> Path:
        """Where a complete file lies: an archive until it is unpacked, a small file until it is checked."""
        return self.workshop / entry.name

    def final(self, entry: Entry) -> Path:
        return self.out / entry.name

    def receipt_path(self, entry: Entry) -> Path:
        return self.workshop / f"{entry.name}.receipt.json"

    def receipt(self, entry: Entry) -> Receipt | None:
        """Raises IntegrityError for a receipt that cannot be read, or that contradicts the list."""
        path = self.receipt_path(entry)
        if not path.exists():
            return None
        receipt = _read_receipt(path)
        for kind in ("size", "md5", "sha256"):
            listed, recorded = getattr(entry, kind), getattr(receipt, kind)
            if listed is not None and listed != recorded:
                raise IntegrityError(
                    f"another {entry.name} came before: its {kind} is {recorded}",
                    where=path,
                    expected=str(listed),
                    hint=f"another --out, or rm {path} to have the listed file",
                )
        return receipt

    def record(self, receipt: Receipt) -> None:
        content = json.dumps({"schema_version": 1, **asdict(receipt)}, indent=1) + "\n"
        write_atomically(self.workshop / f"{receipt.name}.receipt.json", content.encode(), overwrite=True)

    def is_done(self, entry: Entry) -> bool:
        """Whether the file has come, was checked, and everything of it is still there."""
        receipt = self.receipt(entry)
        if receipt is None:
            return False
        if not entry.is_archive:
            return self.final(entry).is_file()
        return receipt.members is not None and not self.missing(receipt)

    def missing(self, receipt: Receipt) -> list[str]:
        """Unpacked files that have gone since."""
        return [name for name in receipt.members or () if not (self.out / name).is_file()]

    def put_aside(self, entry: Entry) -> Path:
        """Keep a damaged file for a look, in place of an earlier one, out of the way of the next fetch."""
        aside = self.fetched(entry).with_name(f"{entry.name}.damaged")
        return self.fetched(entry).replace(aside)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Make the folders; while this holds, no other download works in them. Raises EnvironmentFault."""
        try:
            self.workshop.mkdir(parents=True, exist_ok=True)
            lock = (self.workshop / ".lock").open("ab")
        except OSError as fault:
            raise EnvironmentFault(f"cannot be made ({fault.strerror})", where=self.workshop) from fault
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise EnvironmentFault("another download works in this folder", where=self.out) from None
            yield


def _read_receipt(path: Path) -> Receipt:
    try:
        fields = Fields(json.loads(read_whole(path, max_bytes=_MAX_RECEIPT_BYTES)), f"{path}: ")
        fields.integer("schema_version", 1, 1)
        members = fields.take("members", "a list of paths, or null", _is_paths)
        return Receipt(
            name=fields.text("name"),
            size=fields.integer("size", 1, 1 << 62),
            md5=fields.text("md5"),
            sha256=fields.text("sha256"),
            members=None if members is None else tuple(members),
        )
    except ValueError as error:
        raise IntegrityError(f"not a receipt ({error})", where=path, hint=f"rm {path}; the file comes again") from error


def _is_paths(value: object) -> bool:
    return value is None or (isinstance(value, list) and all(isinstance(name, str) for name in value))
