"""Unpacking an archive that a stranger packed: plain files below one folder, none of them over an existing file.

An archive is read through once before anything is written (``survey``), so that a damaged or hostile one leaves
nothing behind. tarfile alone would not do: it takes a spoilt header in the middle for the end of the archive, and
never reads as far as the checksum at the end of the gzip stream.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from edge_sr.errors import IntegrityError
from edge_sr.image.atomic import write_atomically
from host_training.download.place import WORKSHOP
from host_training.download.progress import file_bar

MAX_MEMBER_BYTES = 64 << 20  # a 1024x1024 PNG of this set has 0.4 MiB; a 16-bit film of 3000x3000 has 17
MAX_MEMBERS = 200_000
# Pictures are compressed already. A bomb of zeros reaches 1000.
MAX_RATIO = 10
SPARE_BYTES = 1 << 20  # headers and padding of a small archive
MAX_NAME_BYTES = 200  # of one part of a path; room for the affixes of an unfinished file


@dataclass
class Unpacked:
    """Counts of one unpacking. ``kept``: existing files of another content, which stay as they are."""

    new: int = 0
    there: int = 0
    kept: list[Path] = field(default_factory=list)


def survey(archive: Path) -> dict[str, int]:
    """The files of a ``.tar.gz``, read to its end, and their bytes: {path below the output folder: size}.

    Raises IntegrityError for a damaged archive, for a member that is no plain file or folder (links, devices, pipes,
    sparse files), that leads out of the folder or into the workshop, that stands twice, or that is too large, and for
    an archive that unpacks to more than MAX_RATIO times its size.
    """
    sizes: dict[str, int] = {}
    with _opened(archive) as (tar, stream), file_bar(f"reading {archive.name}", None) as bar:
        for member in _plain_files(tar, archive):
            name = _safe_name(member, archive)
            if name in sizes:
                raise IntegrityError("a member stands twice", where=f"{archive}: {name}")
            sizes[name] = member.size
            bar.update()
        _assert_only_zeros_follow(stream, tar.offset, archive)
    if not sizes:
        raise IntegrityError("the archive holds no file", where=archive)
    return sizes


def unpack(archive: Path, out: Path, *, total: int) -> Unpacked:
    """Write the files of a surveyed archive below ``out``, each whole or not at all; ``total`` is for the bar.

    A file that is there already is compared and left alone, so an interrupted unpacking just starts again. Raises
    EnvironmentFault where ``out`` cannot be written.
    """
    done = Unpacked()
    with _opened(archive) as (tar, _), file_bar(f"unpacking {archive.name}", total) as bar:
        for member in _plain_files(tar, archive):
            target = out / _safe_name(member, archive)
            reader = tar.extractfile(member)
            assert reader is not None, "plain files only"
            _place(target, reader.read(), done)
            bar.update()
    return done


def _place(target: Path, content: bytes, done: Unpacked) -> None:
    if os.path.lexists(target):
        same = target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content
        done.there += same
        if not same:
            done.kept.append(target)
        return
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):  # a file stands where the archive has a folder
        done.kept.append(target.parent)
        return
    write_atomically(target, content)
    done.new += 1


@contextlib.contextmanager
def _opened(archive: Path) -> Iterator[tuple[tarfile.TarFile, _BoundedStream]]:
    try:
        with gzip.open(archive) as unzipped:
            stream = _BoundedStream(unzipped, archive)
            with tarfile.open(fileobj=stream, mode="r:") as tar:  # type: ignore[call-overload]
                yield tar, stream
    except (
        tarfile.TarError,
        gzip.BadGzipFile,
        zlib.error,
        EOFError,
        ValueError,
        RecursionError,
    ) as fault:  # recursion: header upon header
        raise IntegrityError(f"the archive is damaged ({fault})", where=archive) from fault


class _BoundedStream:
    """The unzipped archive, read no further and in no larger pieces than an honest one of this size needs.

    tarfile reads a long name or an extended header in one piece of whatever length the header claims.
    """

    def __init__(self, unzipped: gzip.GzipFile, archive: Path) -> None:
        self.unzipped, self.archive = unzipped, archive
        self.limit = MAX_RATIO * archive.stat().st_size + SPARE_BYTES

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_MEMBER_BYTES:
            raise IntegrityError("the archive is damaged (a piece of no sane length)", where=self.archive)
        content = self.unzipped.read(size)
        self._bound(self.tell())
        return content

    def seek(self, offset: int) -> int:
        self._bound(offset)
        return self.unzipped.seek(offset)

    def tell(self) -> int:
        return self.unzipped.tell()

    def _bound(self, offset: int) -> None:
        if offset > self.limit:
            raise IntegrityError(
                "unpacks to too much", where=self.archive, expected=f"at most {MAX_RATIO} times the archive's size"
            )


def _plain_files(tar: tarfile.TarFile, archive: Path) -> Iterator[tarfile.TarInfo]:
    for count, member in enumerate(tar, start=1):
        where = f"{archive}: {member.name[:100]!a}"
        if count > MAX_MEMBERS:
            raise IntegrityError("the archive holds too many members", where=archive, expected=f"at most {MAX_MEMBERS}")
        if member.isdir():
            continue
        if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
            raise IntegrityError(f"a member is a {_kind(member)}", where=where, expected="plain files and folders")
        if not 0 <= member.size <= MAX_MEMBER_BYTES:
            raise IntegrityError(
                f"a member of {member.size} bytes", where=where, expected=f"at most {MAX_MEMBER_BYTES} bytes"
            )
        yield member


def _safe_name(member: tarfile.TarInfo, archive: Path) -> str:
    """The member's path below the output folder, without "." parts."""
    path = PurePosixPath(member.name)
    unsafe = (
        not path.parts
        or path.is_absolute()
        or ".." in path.parts
        or "\\" in member.name
        or not member.name.isprintable()
        or any(len(part.encode()) > MAX_NAME_BYTES for part in path.parts)
    )
    if unsafe or path.parts[0] == WORKSHOP:
        raise IntegrityError(
            "a member's name leads out of the folder, or cannot be a file of it",
            where=f"{archive}: {member.name[:100]!a}",
            expected="relative paths such as images/00000001_000.png",
        )
    return str(path)


def _kind(member: tarfile.TarInfo) -> str:
    kinds = {
        tarfile.SYMTYPE: "symbolic link",
        tarfile.LNKTYPE: "hard link",
        tarfile.CHRTYPE: "device",
        tarfile.BLKTYPE: "device",
        tarfile.FIFOTYPE: "pipe",
    }
    return kinds.get(member.type, "sparse or unknown kind of file")


def _assert_only_zeros_follow(stream: _BoundedStream, offset: int, archive: Path) -> None:
    """From the last header on there is nothing but padding. Reads to the end, where gzip compares its checksum."""
    stream.seek(offset)
    while block := stream.read(1 << 20):
        if block.strip(b"\0"):
            raise IntegrityError("the archive is damaged (a header is spoilt)", where=archive)
