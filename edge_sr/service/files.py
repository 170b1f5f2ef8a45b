"""Small and large files inside an open folder: no symlink is followed, no pipe is waited for, none is half there."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator

from edge_sr.service.rename import fsync_folder, rename_noreplace

JOB = re.compile(r"[0-9a-f]{32}")
SMALL_BYTES = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def open_regular(name: str, *, folder: int) -> int:
    """A descriptor for reading; OSError for a link (ELOOP) and for what is no file."""
    descriptor = os.open(name, _READ, dir_fd=folder)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError("not a regular file")
    return descriptor


def read_small(name: str, *, folder: int, most_bytes: int = SMALL_BYTES) -> bytes:
    """The content, cut at one byte more than ``most_bytes``. OSError as of ``open_regular``."""
    with os.fdopen(open_regular(name, folder=folder), "rb") as file:
        return file.read(most_bytes + 1)


def write_new(name: str, content: bytes, *, folder: int, mode: int = 0o666) -> None:
    """Make a file and wait until its bytes are on the disk. Where that fails there is none. An older one is replaced.

    For names that only this process uses, as those with a job in them: an older one is this job's from before a fault.
    """
    try:
        descriptor = os.open(name, _WRITE, mode, dir_fd=folder)
    except FileExistsError:
        os.unlink(name, dir_fd=folder)
        descriptor = os.open(name, _WRITE, mode, dir_fd=folder)
    try:
        write_all(descriptor, content)
        os.fsync(descriptor)
    except BaseException:
        remove(name, folder=folder)
        raise
    finally:
        os.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """write(2) may take less than it is given."""
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def write_small(name: str, content: bytes, *, folder: int, mode: int = 0o600) -> None:
    """Publish a small file of the service's own, durably: whole or not at all. FileExistsError where there is one."""
    part = f".{name}.part"
    write_new(part, content, folder=folder, mode=mode)
    try:
        rename_noreplace(part, name, source_folder=folder, target_folder=folder)
    except BaseException:
        remove(part, folder=folder)
        raise
    fsync_folder(folder)


def remove(name: str, *, folder: int) -> bool:
    """Whether it was there. Other faults pass unseen: who calls this is on the way out of a greater one."""
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        return False
    return True


def entries_of(folder: int) -> Iterator[os.DirEntry[str]]:
    """Everything in an open folder, one at a time; it may hold a million files.

    It is opened anew, since copies of a descriptor share their place in the listing.
    """
    again = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
    try:
        with os.scandir(again) as entries:
            yield from entries
    finally:
        os.close(again)


def names_in(folder: int) -> list[str]:
    return [entry.name for entry in entries_of(folder)]


def status_of(name: str, *, folder: int) -> os.stat_result | None:
    """lstat(2); None where it is not there."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False)
    except (FileNotFoundError, NotADirectoryError):
        return None


def same_file(one: os.stat_result, other: os.stat_result | None) -> bool:
    return other is not None and (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
