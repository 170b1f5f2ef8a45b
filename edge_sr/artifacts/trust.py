"""Who may have written a file. An engine is executable code, so it is loaded from this user's or root's hand alone."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from edge_sr.errors import IntegrityError

FOLDER_MODE = 0o755  # set outright: a umask of 0002, as desktop Linux has it, would let the group write
FILE_MODE = 0o644
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def owned_by_us(status: os.stat_result) -> bool:
    """Whether the owner is this user or root; where a system knows no users (Windows), everything is."""
    return not hasattr(os, "geteuid") or status.st_uid in (os.geteuid(), 0)


def check_hands(path: Path, status: os.stat_result, *, hint: str) -> None:
    """IntegrityError where somebody else than this user and root owns ``path`` or may write to it.

    hint: what mends it; the error for a mode names the chmod before it.
    """
    if not owned_by_us(status):
        raise IntegrityError(
            f"belongs to {user_name(status.st_uid)}", where=path, expected="this user or root as its owner", hint=hint
        )
    if hasattr(os, "geteuid") and status.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(status.st_mode)
        raise IntegrityError(
            f"others may write to it (mode {mode:04o})",
            where=path,
            expected="a mode that lets its owner alone write",
            hint=f"chmod go-w '{path}' (where you trust all who could), or {hint}",
        )


def user_name(uid: int) -> str:
    """The login name, or the number where the system has none for it."""
    try:
        import pwd
    except ImportError:  # not a Unix
        return f"user {uid}"
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
