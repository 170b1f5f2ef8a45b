"""Files taken and given whole: read once into memory without blocking, published by one rename."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from pathlib import Path

from edge_sr.errors import EdgeSRError, EnvironmentFault, InputError, UsageError

# EFBIG: a file size limit (ulimit -f, systemd's LimitFSIZE=) stops a write just as a full disk does.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
# What link(2) answers on file systems without hard links (FAT, exFAT, some network mounts).
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def read_whole(path: Path, *, max_bytes: int) -> bytes:
    """The bytes of a regular file. InputError for a folder, pipe or device, and for an empty or an oversized file."""
    try:
        # O_NONBLOCK: opening a pipe that nobody writes to would otherwise wait for ever.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            return _read_regular(descriptor, path, max_bytes)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the name
        raise InputError(f"cannot be read ({fault})", where=path) from fault


def _read_regular(descriptor: int, path: Path, max_bytes: int) -> bytes:
    status = os.fstat(descriptor)  # of what was opened, which may no longer be what the name points to
    if not stat.S_ISREG(status.st_mode):
        kind = "folder" if stat.S_ISDIR(status.st_mode) else "pipe, socket or device"
        raise InputError(f"is a {kind}", where=path, expected="a regular file")
    if status.st_size == 0:
        raise InputError("the file is empty", where=path)
    if status.st_size > max_bytes:
        raise InputError(f"{status.st_size} bytes is too large", where=path, expected=f"at most {max_bytes} bytes")
    with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
        return file.read(status.st_size)


def write_atomically(path: Path, content: bytes, *, overwrite: bool = False, durable: bool = False) -> None:
    """Publish content under path: whole or not at all.

    Writes a hidden file beside the target, then renames it; whoever reads the folder sees no half file, nor does a
    killed process leave one under that name.

    durable: wait for the disk, which can take as long as the picture itself. Without it, after a power cut a picture of
    the last seconds may have to be made again.

    UsageError when the target exists and overwrite is False, also when it appears in the same moment; EnvironmentFault
    for a full disk and for a folder that cannot be written.
    """
    if path.is_dir() or not path.name:
        raise UsageError("the target is a folder", where=path, expected="a file name")
    if not overwrite and os.path.lexists(path):  # the early answer; _publish holds the promise
        raise _exists(path)
    # A name as long as the file system allows must still leave room for the affixes (at most 4 bytes a character).
    part = path.with_name(f".{path.name[:48]}.{secrets.token_hex(4)}.part")
    try:
        _write_through(part, content)
        if durable:
            _to_disk(part)
        _publish(part, path, overwrite=overwrite)
        if durable:
            _to_disk(path.parent)
    except OSError as fault:
        raise _explained(fault, path) from fault
    finally:
        with contextlib.suppress(OSError):
            part.unlink()  # already gone after a rename


def _write_through(part: Path, content: bytes) -> None:
    # Mode 0o666 leaves the permissions to the umask, as for any other output; tempfile would force 0o600.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(part, flags, 0o666), "wb") as file:
        file.write(content)


def _to_disk(path: Path) -> None:
    """Of a file its bytes, of a folder the names in it, as fsync(2) says; Windows opens no folder."""
    if path.is_dir() and os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(part: Path, path: Path, *, overwrite: bool) -> None:
    if overwrite:
        part.replace(path)
        return
    try:
        os.link(part, path)  # rename(2) would replace a target that has just appeared, link(2) refuses
    except FileExistsError:
        raise _exists(path) from None
    except OSError as fault:
        if fault.errno not in NO_LINKS:
            raise
        _publish_by_claim(part, path)


def _publish_by_claim(part: Path, path: Path) -> None:
    """Without hard links: claim the name with an empty file that only one process can create, then rename over it."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    except FileExistsError:
        raise _exists(path) from None
    try:
        part.replace(path)
    except BaseException:
        path.unlink()
        raise


def _exists(path: Path) -> UsageError:
    return UsageError("the target exists already", where=path, hint="--overwrite")


def _explained(fault: OSError, path: Path) -> EdgeSRError:
    folder = path.parent
    if fault.errno in FULL:
        return EnvironmentFault(f"no space to write {path.name}", where=folder, hint=f"df -h {folder}")
    if fault.errno in FORBIDDEN:
        return EnvironmentFault("the folder cannot be written", where=folder, hint=f"ls -ld {folder}")
    if fault.errno in {errno.ENOENT, errno.ENOTDIR}:
        return EnvironmentFault("there is no such folder", where=folder, hint=f"mkdir -p {folder}")
    return EnvironmentFault(f"cannot be written ({fault.strerror})", where=path)
