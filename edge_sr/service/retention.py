"""Removing served inputs that have lain in done for long enough. Only there, and only where somebody asked for it."""

from __future__ import annotations

import os
import stat
import time
from itertools import islice

from edge_sr.service.faults import passing
from edge_sr.service.files import entries_of, remove
from edge_sr.service.spool import Spool

DAY_S = 86400.0


def prune_done(spool: Spool, *, keep_days: float, most: int = 1000) -> int:
    """Remove regular files that have been in done for longer; how many. Links, folders and the like are left alone.

    most: a call removes no more than that. It looks at every file, about 5 s for a million: not for the loop's thread.
    """
    before = time.time() - keep_days * DAY_S
    removed = 0
    with passing("done"):
        old = (entry.name for entry in entries_of(spool.done) if _is_old(entry, before))
        for name in list(islice(old, most)):
            removed += remove(name, folder=spool.done)
    return removed


def _is_old(entry: os.DirEntry[str], before: float) -> bool:
    """By the inode's change, which a rename into done is on Linux; a copy may carry the camera's date as its own."""
    try:
        status = entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return False
    return stat.S_ISREG(status.st_mode) and max(status.st_ctime, status.st_mtime) < before
