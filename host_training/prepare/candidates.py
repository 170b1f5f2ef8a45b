"""Which files of a folder may become pictures, and whose they are; nothing is decoded."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sr.cli.inputs import SUFFIXES
from edge_sr.errors import InputError, UsageError
from host_training.prepare.metadata import VIEW_COLUMN, Cells, Condition, Metadata
from host_training.prepare.pictures import reason

NIH_PATTERN = r"(?:^|/)(\d{8})_\d{3}\.\w+$"  # 00000001_000.png: patient, follow-up
NIH_PREFIX = "NIH-"

PatientOf = Callable[[str, Cells], str]
"""Path below the folder and row of the metadata -> patient id, "" where there is none."""


@dataclass(frozen=True)
class Candidate:
    """path: below the folder, with "/". patient_id: "" where none is known. size, modified_ns: of the file."""

    path: str
    patient_id: str
    view: str
    size: int
    modified_ns: int


@dataclass(frozen=True)
class Rejection:
    """A file that is left out. reason: its kind, as a rule followed by ":" and what was found."""

    path: str
    reason: str

    @property
    def kind(self) -> str:
        return re.split(r"[:;(]", self.reason)[0].strip()


def find_candidates(
    folder: Path, *, patient_of: PatientOf, metadata: Metadata | None = None, conditions: Sequence[Condition] = ()
) -> tuple[list[Candidate], list[Rejection]]:
    """Every visible file below ``folder``, as one or the other, in the order of the paths.

    UsageError where a condition asks for metadata, or for a column, that is not there.
    """
    for condition in conditions:
        if metadata is None:
            raise UsageError(f"{condition.option} needs --metadata", hint="--metadata Data_Entry_2017.csv")
        metadata.need(condition.column, condition.option)
    found: list[Candidate] = []
    left: list[Rejection] = []
    for path in sorted(_walk(folder, left)):
        try:
            cells = _cells(path, metadata, conditions)
            status = (folder / path).stat()
            view = cells.get(VIEW_COLUMN, "")
            found.append(Candidate(path, patient_of(path, cells), view, status.st_size, status.st_mtime_ns))
        except InputError as error:
            left.append(Rejection(path, reason(error)))
        except OSError as error:
            left.append(Rejection(path, f"cannot be read ({error.strerror})"))
    return found, sorted(left, key=lambda rejection: rejection.path)


def by_pattern(pattern: str, prefix: str = "") -> PatientOf:
    """The one group of a regular expression that is searched for in the path, behind ``prefix``. Raises UsageError."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"is no regular expression ({error})", where=f"--patient-pattern {pattern}") from error
    if compiled.groups != 1:
        expected = r"one group, such as ([0-9]+)_"
        raise UsageError(f"has {compiled.groups} groups", where=f"--patient-pattern {pattern}", expected=expected)

    def patient_of(path: str, cells: Cells) -> str:
        found = compiled.search(path)
        return prefix + found[1] if found and found[1] else ""

    return patient_of


def by_column(metadata: Metadata, column: str, prefix: str = "") -> PatientOf:
    """A cell of its row, behind ``prefix``; InputError where it is empty. UsageError for an unknown column."""
    metadata.need(column, "--patient-column")

    def patient_of(path: str, cells: Cells) -> str:
        if not cells.get(column):
            raise InputError("no patient id in its row of the metadata", where=path)
        return prefix + cells[column]

    return patient_of


def _walk(folder: Path, left: list[Rejection]) -> Iterator[str]:
    """Paths of the files that may be pictures, below ``folder``; the others go to ``left``."""

    def note(error: OSError) -> None:
        name = os.path.relpath(error.filename or folder, folder)
        left.append(Rejection(_printable(name), f"the folder cannot be read ({error.strerror})"))

    for parent, folders, files in os.walk(folder, onerror=note):
        below = Path(parent).relative_to(folder)
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in folders:
            if Path(parent, name).is_symlink():  # followed, it could lead round in a circle
                left.append(Rejection(_printable((below / name).as_posix()), "a link to a folder"))
        for name in files:
            path = (below / name).as_posix()
            if name.startswith("."):
                continue
            if _printable(path) != path:
                left.append(Rejection(_printable(path), "its name is not UTF-8"))
            elif not name.lower().endswith(SUFFIXES):
                left.append(Rejection(path, "not named as a PNG, TIFF or JPEG"))
            else:
                yield path


def _printable(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _cells(path: str, metadata: Metadata | None, conditions: Sequence[Condition]) -> Cells:
    """The picture's row, empty without metadata. InputError where it has none or a condition refuses it."""
    cells = metadata.row(path) if metadata else {}
    for condition in conditions:
        if refusal := condition.refuses(cells):
            raise InputError(refusal, where=path)
    return cells
