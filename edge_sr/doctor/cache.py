"""The folder of the engine cache. Its rules are the artifacts', which need numpy, so ``disk`` imports this late."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from edge_sr.artifacts.engine_cache import VARIABLE, cache_folders
from edge_sr.artifacts.engine_folder import OTHER_FOLDER, folder_to_write
from edge_sr.artifacts.trust import user_name
from edge_sr.doctor.check import Check, mebibytes
from edge_sr.doctor.disk import write_fault

LOW_MIB = 512  # an engine of each precision, a timing cache and the files that a build has beside it


def check_cache() -> Check:
    """Where ``edge-sr build`` would publish, and whether it could; what lies there is the business of ``engines``.

    A note at most: the bundle's own networks need no cache.
    """
    folder = folder_to_write()
    looked_in = [str(other) for other in cache_folders() if other != folder]
    beside = f"; run looks in {', '.join(looked_in)} too" if looked_in else ""
    nearest = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    if fault := write_fault(nearest):
        what = f"{folder} cannot be written by {_me()} ({fault}), so nothing can be built{beside}"
        return Check("cache", "note", what, OTHER_FOLDER)
    free_mib = shutil.disk_usage(nearest).free >> 20
    found = f"{folder}, {_owner(folder)}, {mebibytes(free_mib)} free"
    if free_mib < LOW_MIB:
        hint = f"edge-sr engines prune (or {VARIABLE}=/another/folder)"
        return Check("cache", "note", f"{found}, little for a build{beside}", hint)
    return Check("cache", "ok", f"{found}{beside}")


def _owner(folder: Path) -> str:
    try:
        status = folder.stat()
    except OSError:
        return "made by the first build"
    return f"of {user_name(status.st_uid)}, mode {stat.S_IMODE(status.st_mode):04o}"


def _me() -> str:
    return user_name(os.geteuid()) if hasattr(os, "geteuid") else "this user"
