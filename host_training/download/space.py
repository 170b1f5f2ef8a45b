"""Room on the disk, asked for before it is used up."""

from __future__ import annotations

import shutil
from pathlib import Path

from edge_sr.errors import EnvironmentFault
from host_training.download.progress import size_text


def free_bytes(folder: Path) -> int:
    """Free space where ``folder`` is, or would be made."""
    while not folder.exists():
        folder = folder.absolute().parent
    return shutil.disk_usage(folder).free


def need_space(folder: Path, size: int, *, what: str) -> None:
    """Raises EnvironmentFault where ``size`` more bytes do not fit."""
    free = free_bytes(folder)
    if size > free:
        raise EnvironmentFault(
            f"{what} needs {size_text(size)}, {size_text(free)} are free",
            where=folder,
            hint="a folder on a larger disk (--out), or fewer archives (--first, --only)",
        )
