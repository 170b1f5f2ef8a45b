"""The second pass: the pictures that stay are made once more and written where they belong, in parts of any order."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_sr import __version__
from edge_sr.artifacts.bundle import file_sha256
from edge_sr.errors import EnvironmentFault
from edge_sr.image.atomic import write_atomically
from edge_sr.image.png import encode_png
from host_training.data.protocol import HR_SIDE, SPLITS
from host_training.data.store import (
    COLUMNS,
    HR_FOLDER,
    LISTING,
    LR_FOLDER,
    RECORD,
    REJECTED,
    SCHEMA_VERSION,
    Row,
    array_name,
    csv_text,
)
from host_training.prepare.candidates import Rejection
from host_training.prepare.judging import read_json
from host_training.prepare.parallel import in_parallel
from host_training.prepare.pictures import make
from host_training.prepare.plan import Plan, counted, in_parts, progress, recipe_of

Hashes = dict[str, list[str]]  # path -> of its two PNG files; empty where pictures go to arrays


@dataclass(frozen=True)
class WritePart:
    """Some rows of one split, the store they go to, and the file that says that they are there."""

    plan: Plan
    rows: tuple[Row, ...]
    store: Path
    written: Path


def write_pictures(plan: Plan, rows: Sequence[Row], work: Path, *, jobs: int) -> list[Row]:
    """Write the pictures of all rows into work/store, but for the parts that are there already.

    Returns the rows, with the hashes of their files in the layout "folders".
    """
    _lay_out(plan, rows, work)
    parts = [
        WritePart(plan, some, work / "store", work / f"written-{split}-{start:07}.json")
        for split in SPLITS
        for start, some in in_parts([row for row in rows if row.split == split])
    ]
    to_do = [part for part in parts if read_json(part.written) is None]
    with progress("writing", len(rows), sum(len(part.rows) for part in to_do)) as bar:
        for done in in_parallel(write_part, to_do, jobs=jobs):
            bar.update(done)
    hashes: Hashes = {path: pair for part in parts for path, pair in read_json(part.written).items()}
    return [
        replace(row, hr_sha256=hashes[row.path][0], lr_sha256=hashes[row.path][1]) if row.path in hashes else row
        for row in rows
    ]


def write_part(part: WritePart) -> int:
    """Make and write the pictures of some rows and return how many they are."""
    write = _to_arrays if part.plan.layout == "store" else _to_files
    hashes = write(part.plan, part.rows, part.store)
    write_atomically(part.written, json.dumps(hashes).encode(), overwrite=True)
    return len(part.rows)


def write_record(plan: Plan, rows: Sequence[Row], left: Sequence[Rejection], store: Path) -> dict[str, Any]:
    """Write MANIFEST.csv, rejected.csv and, last, store.json, which it returns."""
    listing = csv_text(COLUMNS, ([getattr(row, column) for column in COLUMNS] for row in rows))
    rejected = csv_text(("path", "reason"), ((rejection.path, rejection.reason) for rejection in left))
    write_atomically(store / LISTING, listing.encode(), overwrite=True)
    write_atomically(store / REJECTED, rejected.encode(), overwrite=True)
    names = [LISTING, REJECTED]
    if plan.layout == "store":
        names += [array_name(kind, split) for kind in plan.sides() for split in SPLITS]
    record = {
        "schema_version": SCHEMA_VERSION,
        "layout": plan.layout,
        "degradation": plan.recipe.degradation,
        "side": plan.sides().get("pictures", HR_SIDE),
        **counted(rows, left),
        "options": {**recipe_of(plan), "split": list(plan.shares), "source": plan.source, **plan.options},
        "code_version": __version__,
        "sha256": {name: file_sha256(store / name) for name in names},
    }
    write_atomically(store / RECORD, f"{json.dumps(record, indent=1)}\n".encode(), overwrite=True)
    return record


def _lay_out(plan: Plan, rows: Sequence[Row], work: Path) -> None:
    """The store's empty arrays, or its folders."""
    if is_laid_out(work):
        return
    counts = Counter(row.split for row in rows)
    for split in SPLITS:
        if plan.layout == "folders":
            for folder in (HR_FOLDER, LR_FOLDER):
                (work / "store" / split / folder).mkdir(parents=True, exist_ok=True)
            continue
        (work / "store").mkdir(parents=True, exist_ok=True)
        for kind, side in plan.sides().items():
            _reserve(work / "store" / array_name(kind, split), (counts[split], side, side))
    _laid_out(work).touch()


def is_laid_out(work: Path) -> bool:
    """Whether the arrays have their place on the disk already."""
    return _laid_out(work).is_file()


def _laid_out(work: Path) -> Path:
    return work / "laid-out"


def _reserve(path: Path, shape: tuple[int, int, int]) -> None:
    """An array of zeros that has its place on the disk: writing to a mapped page that finds none kills a process."""
    try:
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()
        if hasattr(os, "posix_fallocate"):  # macOS has none
            with path.open("r+b") as file:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        what = f"no space to write {path.name} ({error.strerror})"
        raise EnvironmentFault(what, where=path.parent, hint=f"df -h {path.parent}; or --side 256") from error


def _to_arrays(plan: Plan, rows: Sequence[Row], store: Path) -> Hashes:
    names = {kind: store / array_name(kind, rows[0].split) for kind in plan.sides()}
    arrays = {kind: np.lib.format.open_memmap(path, mode="r+") for kind, path in names.items()}
    for row in rows:
        made = make(plan.folder / row.path, plan.recipe, sha256=row.sha256)
        for kind, array in arrays.items():
            array[row.index] = getattr(made, kind)
    for array in arrays.values():
        array.flush()  # on the disk before the part counts as written
    return {}


def _to_files(plan: Plan, rows: Sequence[Row], store: Path) -> Hashes:
    hashes = {}
    for row in rows:
        made = make(plan.folder / row.path, plan.recipe, sha256=row.sha256)
        pair = {HR_FOLDER: encode_png(made.hr, text={}), LR_FOLDER: encode_png(made.lr, text={})}
        for folder, content in pair.items():
            write_atomically(store / row.split / folder / row.name, content, overwrite=True)
        hashes[row.path] = [hashlib.sha256(content).hexdigest() for content in pair.values()]
    return hashes
