"""What a CSV file says about pictures, one row each: NIH's Data_Entry_2017.csv or any other; and filters on it.

NIH's file was published in several forms. The first has ages as "058Y", the later ones as 58; the column of the sex is
named "Patient Gender" or "Patient Sex"; the header may lack the commas in "OriginalImage[Width,Height]" and
"OriginalImagePixelSpacing[x,y]", or have one too many at its end. All of them are read.
"""

from __future__ import annotations

import csv
import hashlib
import io
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from edge_sr.cli.inputs import SUFFIXES
from edge_sr.errors import InputError, UsageError
from edge_sr.image.atomic import read_whole

FILE_COLUMN, VIEW_COLUMN, FINDINGS_COLUMN = "Image Index", "View Position", "Finding Labels"
MAX_CSV_BYTES = 1 << 30

Cells = Mapping[str, str]

_TWO_IN_BRACKETS = re.compile(r"\[(\w+)[ ,]+(\w+)\][ ,]*")
_CONDITION = re.compile(r"\s*([^=<>!\s][^=<>!]*?)\s*(>=|<=|!=|==|=|<|>)\s*(.*?)\s*")
_NUMBER = re.compile(r"\s*(-?\d+(?:\.\d+)?)([YMWD]?)\s*")
_YEARS = {"": 1.0, "Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}  # age strings: DICOM PS3.5, section 6.2
_ORDER: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class Metadata:
    """rows: by path or name of the picture, without its suffix; None where two rows for it differ."""

    path: Path
    columns: tuple[str, ...]
    sha256: str
    rows: dict[str, Cells | None] = field(repr=False)

    def row(self, picture: str) -> Cells:
        """The row of a picture, by its path below the folder, else by its name. InputError where there is not one."""
        whole, name = _key(picture), _key(PurePosixPath(picture).name)
        found = self.rows.get(whole, self.rows.get(name, {}))
        if found is None:
            raise InputError("several rows in the metadata that differ", where=picture)
        if not found:
            raise InputError("no row in the metadata", where=picture)
        return found

    def need(self, column: str, asked_by: str) -> None:
        """UsageError where there is no such column."""
        if column not in self.columns:
            raise UsageError(f"no column {column!r}, which {asked_by} asks for", where=self.path, expected=self._list())

    def _list(self) -> str:
        return ", ".join(self.columns)


def read_metadata(path: Path, *, file_column: str = FILE_COLUMN) -> Metadata:
    """Read a CSV file with commas and a header line.

    file_column: names the picture of a row, by its path below the folder or by its bare name, with or without suffix.
    Raises InputError for a file that is no such CSV, UsageError where the column is missing.
    """
    try:
        content = read_whole(path, max_bytes=MAX_CSV_BYTES)
        header, _, body = content.decode("utf-8-sig").partition("\n")
        columns = tuple(name.strip() for name in next(csv.reader([_mended(header)])))
        metadata = Metadata(path, columns, hashlib.sha256(content).hexdigest(), {})
        metadata.need(file_column, "--file-column")
        for values in csv.reader(io.StringIO(body, newline="")):
            cells = dict(zip(columns, (value.strip() for value in values), strict=False))
            if picture := cells.get(file_column, ""):
                _add(metadata.rows, _key(picture), cells)
    except (UnicodeDecodeError, csv.Error, StopIteration) as error:
        raise InputError(f"is no CSV file ({error})", where=path, expected="UTF-8 with commas and a header") from error
    _add_bare_names(metadata.rows)
    return metadata


@dataclass(frozen=True)
class Condition:
    """A rule for a cell: "=" one of the values, "!=" none of them, "lacks" none within its list, or an order."""

    column: str
    relation: str
    values: tuple[str, ...]
    option: str

    def refuses(self, cells: Cells) -> str:
        """Why a row does not pass, "" where it does."""
        cell = cells.get(self.column, "")
        return "" if self._holds(cell) else f"filtered by {self.column}: {cell or 'nothing there'}"

    def _holds(self, cell: str) -> bool:
        if self.relation == "lacks":
            return not set(self.values) & {part.strip() for part in cell.split("|")}
        if self.relation in _ORDER:
            number = number_of(cell)
            return number is not None and _ORDER[self.relation](number, _number(self.values[0]))
        return any(_equal(cell, value) for value in self.values) == (self.relation == "=")


def view_is(views: tuple[str, ...]) -> Condition:
    """NIH's view position is one of these."""
    return Condition(VIEW_COLUMN, "=", views, "--view")


def lacks_findings(findings: tuple[str, ...]) -> Condition:
    """None of these stands among NIH's finding labels, which "|" separates."""
    return Condition(FINDINGS_COLUMN, "lacks", findings, "--exclude-finding")


def parse_condition(text: str) -> Condition:
    """``COLUMN=VALUE``, or with !=, <, <=, > or >=; UsageError for anything else.

    Two numbers are compared as such, and an age "058Y" is the number 58; other values as text, exactly. The last four
    want a number, and a cell that is none does not pass.
    """
    found = _CONDITION.fullmatch(text)
    if not found:
        raise UsageError(f"cannot read {text!r}", where="--where", expected='such as "Patient Age>=18"')
    column, relation, value = found[1], found[2].replace("==", "="), found[3]
    if relation in _ORDER and number_of(value) is None:
        raise UsageError(f"{value!r} is no number", where=f"--where {text!r}", expected=f"a number behind {relation}")
    return Condition(column, relation, (value,), f"--where {text!r}")


def number_of(cell: str) -> float | None:
    """A number, or a DICOM age string in years; None for anything else."""
    found = _NUMBER.fullmatch(cell)
    return float(found[1]) * _YEARS[found[2]] if found else None


def _number(text: str) -> float:
    number = number_of(text)
    assert number is not None, text  # parse_condition has refused it
    return number


def _equal(cell: str, value: str) -> bool:
    one, other = number_of(cell), number_of(value)
    return cell == value if one is None or other is None else one == other


def _mended(header: str) -> str:
    """NIH's header with the commas it may lack and without the one too many."""
    return _TWO_IN_BRACKETS.sub(r"[\1,\2],", header.strip()).rstrip(",")


def _key(picture: str) -> str:
    stem, dot, suffix = picture.rpartition(".")
    return stem if f"{dot}{suffix.lower()}" in (*SUFFIXES, ".dcm") else picture


def _add(rows: dict[str, Cells | None], key: str, cells: Cells | None) -> None:
    rows[key] = cells if rows.get(key, cells) == cells else None


def _add_bare_names(rows: dict[str, Cells | None]) -> None:
    """So that a row "nih/a.png" is also found as "a", unless another folder has an "a" too."""
    bare: dict[str, Cells | None] = {}
    for key, cells in rows.items():
        if "/" in key:
            _add(bare, key.rpartition("/")[2], cells)
    for name, cells in bare.items():
        rows.setdefault(name, cells)
