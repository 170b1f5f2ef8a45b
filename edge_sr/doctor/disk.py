"""Folders that are written to, and the room that is left in them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edge_sr.doctor import packages
from edge_sr.doctor.check import Check, mebibytes
from edge_sr.doctor.surroundings import Surroundings

LOW_MIB = 100  # some hundred pictures of the size that is meant here


def checks(here: Surroundings) -> Iterator[Check]:
    if packages.packages_work():
        from edge_sr.doctor.cache import check_cache

        yield check_cache()
    yield check_output(here.output)


def write_fault(folder: Path) -> str:
    """Why nothing can be written, else "". By writing: permissions alone tell nothing about a read-only disk."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"edge-sr")
            probe.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def check_output(folder: Path) -> Check:
    if fault := write_fault(folder):
        cure = "edge-sr doctor --output OTHER_FOLDER" if folder.exists() else f"mkdir -p {folder}"
        return Check("output", "fault", f"{folder}: {fault}", cure)
    free_mib = shutil.disk_usage(folder).free >> 20
    found = f"{folder.resolve()} can be written, {mebibytes(free_mib)} free"
    if free_mib < LOW_MIB:
        return Check("output", "note", f"{found}, little for pictures", "edge-sr doctor --output OTHER_FOLDER")
    return Check("output", "ok", found)
