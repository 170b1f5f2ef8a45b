"""Building a store: every file is judged, then those that stay are written, and the whole is published by one rename.

Both passes keep their results in a hidden folder beside the target until the end, so that a run that was killed goes on
there. Nothing depends on the order in which parts are done: any number of processes writes the same bytes.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from host_training.data.store import RECORD
from host_training.prepare.candidates import Candidate, Rejection
from host_training.prepare.judging import judged
from host_training.prepare.plan import Plan, counted, decided, digest, recipe_of
from host_training.prepare.writing import is_laid_out, write_pictures, write_record

FINDINGS = "judged"
ROOM_FOR_THE_REST = 1 << 26  # bytes beside the pictures: listings, and what the file system itself needs


def build_store(
    out: Path,
    plan: Plan,
    candidates: Sequence[Candidate],
    rejections: Sequence[Rejection],
    *,
    jobs: int,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Build ``out``, replacing an older store there, and return its record, that of store.json.

    dry_run: judge only and return what could be said before anything is written; the findings wait for the real run.
    Raises InputError where no file is fit, UsageError where another run is at work on ``out``, EnvironmentFault where
    there is no room on the disk.
    """
    _need_folder(out.parent)
    part = out.with_name(f".{out.name}.part")
    with _alone(part):
        findings = judged(plan, candidates, part / FINDINGS, jobs=jobs)
        rows, unfit = decided(plan, candidates, findings)
        left = sorted([*rejections, *unfit], key=lambda rejection: rejection.path)
        if not rows:
            raise _nothing(plan.folder, left)
        if dry_run:
            return counted(rows, left)
        work = part / digest(recipe_of(plan), [asdict(row) for row in rows])
        _forget_others(part, work)
        if not is_laid_out(work):
            check_room(plan, len(rows), out.parent)
        rows = write_pictures(plan, rows, work, jobs=jobs)
        record = write_record(plan, rows, left, work / "store")
        _publish(work / "store", out)
        shutil.rmtree(part)
    return record


def refuse_taken(out: Path, folder: Path, *, overwrite: bool) -> None:
    """UsageError where ``out`` may not be written: it exists, or one of the two folders lies within the other."""
    one, other = out.resolve(), folder.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise UsageError(f"and {folder} lie one within the other", where=out, expected="a folder beside it")
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise UsageError("exists already", where=out, hint="another name, or --overwrite")
    if out.is_symlink() or not (out / RECORD).is_file():
        raise UsageError("is no prepared store, so it is not replaced", where=out, expected="a store or a free name")


def check_room(plan: Plan, pictures: int, folder: Path) -> None:
    """EnvironmentFault where so many pictures do not fit on the disk of ``folder``."""
    needed = pictures * sum(side * side for side in plan.sides().values()) + ROOM_FOR_THE_REST
    free = shutil.disk_usage(folder).free
    if needed > free:
        what = f"{needed / 1e9:.2f} GB are needed and {free / 1e9:.2f} are free"
        raise EnvironmentFault(what, where=folder, hint=f"df -h {folder}; or --side 256")


def _need_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UsageError("is a file or lies below one", where=folder, expected="a folder for the store") from error


@contextmanager
def _alone(part: Path) -> Iterator[None]:
    """The folder of the work in progress, for this process only."""
    part.mkdir(exist_ok=True)
    with (part / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # ends with the process, a killed one too
        except BlockingIOError:
            raise UsageError("another run is at work here", where=part, hint="wait for it, or another -o") from None
        yield


def _nothing(folder: Path, left: Sequence[Rejection]) -> InputError:
    kinds = counted([], left)["rejected"]
    found = ", ".join(f"{count} x {kind}" for kind, count in kinds.items()) or "no file"
    return InputError(f"holds no picture that can be used: {found}", where=folder, expected="PNG, TIFF or JPEG, grey")


def _forget_others(part: Path, work: Path) -> None:
    """Remove what an earlier run began to write of another selection, and make the folder of this one."""
    for folder in part.iterdir():
        if folder.is_dir() and folder.name != FINDINGS and folder != work:
            shutil.rmtree(folder)
    work.mkdir(exist_ok=True)


def _publish(store: Path, out: Path) -> None:
    """Rename; an older store steps aside first."""
    retired = out.with_name(f".{out.name}.retired")
    shutil.rmtree(retired, ignore_errors=True)
    if out.exists():
        out.rename(retired)
    store.rename(out)
    shutil.rmtree(retired, ignore_errors=True)
