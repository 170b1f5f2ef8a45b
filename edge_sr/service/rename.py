"""Renames that never destroy a file.

renameat2(2) with RENAME_NOREPLACE does it in one step. File systems without it (NFS, some FUSE ones) get link(2) and
unlink(2): for a moment, and after a kill for longer, the file has both names, which ``edge_sr.service.recovery`` mends.
A file system that has neither cannot hold a spool: there the first call fails, and that is when a spool is made.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from functools import cache
from typing import Any

RENAME_NOREPLACE = 1  # linux/fs.h
# Of the file system, or of a kernel before 3.15.
_NO_FLAG = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


def rename_noreplace(source: str, target: str, *, source_folder: int, target_folder: int) -> None:
    """Give ``source`` the name ``target``; FileExistsError where that is taken, by whatever. OSError for the rest.

    source, target: relative to the open folders. No symlink is followed: a link is moved itself.
    """
    try:
        _renameat2(source, target, source_folder, target_folder)
    except OSError as fault:
        if fault.errno not in _NO_FLAG:
            raise
        _rename_by_steps(source, target, source_folder, target_folder)


def fsync_folder(folder: int) -> None:
    """The names in an open folder are on the disk afterwards; fsync(2): a file's own fsync does not do that."""
    os.fsync(folder)


@cache
def _libc_renameat2() -> Any:
    """glibc has it from 2.28 on, musl from 1.2.6 on; None without."""
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def _renameat2(source: str, target: str, source_folder: int, target_folder: int) -> None:
    call = _libc_renameat2()
    if call is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    names = os.fsencode(source), os.fsencode(target)
    if any(b"\0" in name for name in names):
        raise ValueError("embedded null byte")  # as os.rename
    if call(source_folder, names[0], target_folder, names[1], RENAME_NOREPLACE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), source, None, target)


def _rename_by_steps(source: str, target: str, source_folder: int, target_folder: int) -> None:
    """Take the new name exclusively first, then give up the old one."""
    folders = {"src_dir_fd": source_folder, "dst_dir_fd": target_folder}
    if stat.S_ISDIR(os.stat(source, dir_fd=source_folder, follow_symlinks=False).st_mode):
        os.mkdir(target, 0o700, dir_fd=target_folder)
        os.rename(source, target, **folders)  # noqa: PTH104 - over the empty folder just made: a filled one is refused
        return
    os.link(source, target, **folders, follow_symlinks=False)
    os.unlink(source, dir_fd=source_folder)
