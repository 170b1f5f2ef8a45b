"""One file from its address to its place: fetched, verified, unpacked, recorded; no step is done twice."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sr.errors import InputError, IntegrityError
from host_training.download.extract import survey, unpack
from host_training.download.fetch import Patience, fetch
from host_training.download.listing import Entry
from host_training.download.part import Part
from host_training.download.place import Place, Receipt
from host_training.download.progress import byte_bar
from host_training.download.space import need_space

_CHUNK_BYTES = 1 << 20
UNPACKED_RATIO = 1.05  # of pictures that are compressed already: tar's headers, and the ends of blocks


@dataclass(frozen=True)
class Plan:
    """What bringing one entry would mean. ``to_fetch`` is None where nobody knows the size."""

    entry: Entry
    done: bool
    have: int  # bytes that need not be fetched
    to_fetch: int | None

    @property
    def unpacked(self) -> int:
        """Bytes that unpacking will take, estimated from the archive's size; one that is here is read for the truth."""
        return int(UNPACKED_RATIO * (self.entry.size or 0)) if self.entry.is_archive and self.to_fetch != 0 else 0


def plan(entry: Entry, place: Place) -> Plan:
    """What is there and what is missing, without the network. Raises IntegrityError for a receipt unlike the list."""
    if place.is_done(entry):
        return Plan(entry, True, entry.size or 0, 0)
    fetched = place.fetched(entry)
    if fetched.is_file() or (place.final(entry).is_file() and not entry.is_archive):
        return Plan(entry, False, entry.size or 0, 0)
    have = Part(fetched, entry).size
    return Plan(entry, False, have, None if entry.size is None else max(0, entry.size - have))


def space_needed(plans: list[Plan], *, keep_archives: bool) -> int:
    """Bytes that the disk must still hold at the worst moment, as far as the sizes are known."""
    unpacked = sum(plan.unpacked for plan in plans)
    to_fetch = [plan.to_fetch or 0 for plan in plans]
    if keep_archives:
        return unpacked + sum(to_fetch)
    return unpacked + max(to_fetch, default=0)  # an archive goes before the next one comes


def bring(entry: Entry, place: Place, *, patience: Patience, keep_archives: bool = False) -> str:
    """Bring one entry; returns what was done, in words. Called again it goes on where it was stopped.

    Raises InputError where the file cannot be had or where existing files are in its way, IntegrityError where it is
    not what the list, or the receipt of an earlier download, says (it is then kept as ``NAME.damaged``).
    """
    if place.is_done(entry):
        return "there already"
    if not entry.is_archive and place.final(entry).exists():
        return _accepted(entry, place)
    fetched = place.fetched(entry)
    if not fetched.exists():
        fetch(entry, fetched, patience=patience)
    try:
        receipt = _verified(entry, place, fetched)
        sizes = survey(fetched) if entry.is_archive else {}
    except IntegrityError as fault:
        aside = place.put_aside(entry)
        raise IntegrityError(
            f"{fault.what}; it is kept as {aside.name}",
            where=fault.where,
            expected=fault.expected,
            hint=fault.hint or "the same command again, which fetches it anew",
        ) from fault
    place.record(receipt)
    if entry.is_archive:
        return _unpacked(place, fetched, receipt, sizes, keep_archives=keep_archives)
    fetched.rename(place.final(entry))
    return "fetched"


def _accepted(entry: Entry, place: Place) -> str:
    """A small file that somebody put there by hand."""
    try:
        place.record(_verified(entry, place, place.final(entry)))
    except IntegrityError as fault:
        raise InputError(
            f"a file of this name is there already: {fault.what}",
            where=fault.where,
            expected=fault.expected,
            hint=f"mv {place.final(entry)} elsewhere, then the same command again",
        ) from fault
    return "there already, checked"


def _verified(entry: Entry, place: Place, path: Path) -> Receipt:
    """The receipt of a file that is what the list says and what came before. Raises IntegrityError."""
    size = path.stat().st_size
    if entry.size is not None and size != entry.size:
        raise IntegrityError(f"it has {size} bytes", where=path, expected=f"{entry.size}, as listed")
    receipt = Receipt(entry.name, size, *_checksums(path))
    for kind in ("md5", "sha256"):
        listed, found = getattr(entry, kind), getattr(receipt, kind)
        if listed is not None and listed != found:
            raise IntegrityError(f"its {kind} is {found}", where=path, expected=f"{listed}, as listed")
    earlier = place.receipt(entry)
    if earlier is not None and earlier.sha256 != receipt.sha256:
        raise IntegrityError(
            f"its sha256 is {receipt.sha256}",
            where=path,
            expected=f"{earlier.sha256}, as when it first came",
            hint=f"rm {place.receipt_path(entry)} where a new file is meant, then the same command again",
        )
    return receipt


def _checksums(path: Path) -> tuple[str, str]:
    """md5 (which is what was published for these archives) and sha256, in one reading."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file, byte_bar(f"checking {path.name}", path.stat().st_size) as bar:
        while chunk := file.read(_CHUNK_BYTES):
            md5.update(chunk)
            sha256.update(chunk)
            bar.update(len(chunk))
    return md5.hexdigest(), sha256.hexdigest()


def _unpacked(place: Place, archive: Path, receipt: Receipt, sizes: Mapping[str, int], *, keep_archives: bool) -> str:
    still_to_write = sum(size for name, size in sizes.items() if not (place.out / name).exists())
    need_space(place.out, still_to_write, what=f"unpacking {archive.name}")
    unpacked = unpack(archive, place.out, total=len(sizes))
    if unpacked.kept:
        others = f", like {len(unpacked.kept) - 1} more" if len(unpacked.kept) > 1 else ""
        raise InputError(
            f"is not what {archive.name} has under this name, and stays as it is{others}",
            where=unpacked.kept[0],
            hint="move it elsewhere, then the same command again; the archive waits in " + str(archive.parent),
        )
    os.sync()  # the files reach the disk before the receipt says so and the archive goes
    place.record(replace(receipt, members=tuple(sizes)))
    if not keep_archives:
        archive.unlink()
    return f"{unpacked.new} files unpacked" + (f", {unpacked.there} there already" if unpacked.there else "")
