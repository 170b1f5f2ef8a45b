"""The folder of the engine cache, for whoever writes to it: made, found to be in good hands, and locked."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edge_sr.artifacts.engine_cache import VARIABLE, cache_folders
from edge_sr.artifacts.trust import FILE_MODE, FOLDER_MODE, check_hands
from edge_sr.errors import EnvironmentFault, IntegrityError

LOCK = ".lock"
OTHER_FOLDER = f"{VARIABLE}=/another/folder edge-sr build"
# EFBIG: a file size limit (ulimit -f, systemd's LimitFSIZE=) stops a write just as a full disk does.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}


def cache_to_write() -> Path:
    """The folder that a build publishes to, made where it is missing.

    EnvironmentFault, with what to type, where it cannot be made or written, and where somebody else than this user
    and root could change what is in it.
    """
    folder = folder_to_write()
    with faults(folder):
        _make(folder)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise EnvironmentFault("cannot be written", where=folder, hint=OTHER_FOLDER)
        check_folder(folder)
    return folder


def folder_to_write() -> Path:
    """The one that ``cache_to_write`` would make; nothing is made or checked."""
    folders = cache_folders()
    return folders[0] if len(folders) == 1 or _writable(folders[0]) else folders[-1]


def _writable(folder: Path) -> bool:
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return os.access(nearest, os.W_OK | os.X_OK)


def _make(folder: Path) -> None:
    """Missing parents too, all with FOLDER_MODE: whoever may write to one can put another folder in this place."""
    for path in reversed((folder, *folder.parents)):
        if not os.path.lexists(path):
            path.mkdir(exist_ok=True)
            path.chmod(FOLDER_MODE)


def check_folder(folder: Path) -> None:
    """EnvironmentFault, with what to type, where somebody else than this user and root could change what is in it."""
    try:
        check_hands(folder, folder.stat(), hint=OTHER_FOLDER)
    except IntegrityError as error:  # nothing in there is damaged: the folder does not suit
        raise EnvironmentFault(error.what, where=folder, expected=error.expected, hint=error.hint) from error


@contextmanager
def build_lock(folder: Path, waiting: Callable[[int], None]) -> Iterator[None]:
    """Hold the one lock of a cache folder. waiting: is called once, with the holder's process id (0 where it has not
    said it yet), before waiting for it.

    The kernel lets go of the lock when its holder ends in any way, so a stale one cannot exist.
    EnvironmentFault where the folder cannot be written or its file system has no locks.
    """
    with faults(folder):
        descriptor = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), FILE_MODE)
    try:
        with faults(folder):
            _lock(descriptor, folder, waiting)
        with suppress(OSError):  # on a full disk the lock must still be had: prune needs it to make room
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
        with suppress(OSError):
            os.ftruncate(descriptor, 0)  # the file stays: two processes could lock two files of one name
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path, waiting: Callable[[int], None]) -> None:
    try:
        import fcntl
    except ImportError as error:
        raise EnvironmentFault("this system has no flock", where=folder, expected="Linux") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).strip()
            waiting(int(holder) if holder.isdigit() else 0)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        what = f"its file system has no locks ({error.strerror})"
        raise EnvironmentFault(what, where=folder, expected="a local disk", hint=OTHER_FOLDER) from error


@contextmanager
def faults(folder: Path) -> Iterator[None]:
    """Errors of the file system in the cache ``folder``, as EnvironmentFault with what to type."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise no_space(folder) from error
        where = error.filename or folder
        what = f"cannot be written: {error.strerror or error}"
        raise EnvironmentFault(what, where=where, hint=f"ls -ld '{where}'; {OTHER_FOLDER}") from error


def no_space(folder: Path) -> EnvironmentFault:
    return EnvironmentFault("no space for an engine", where=folder, hint=f"edge-sr engines prune; df -h '{folder}'")
