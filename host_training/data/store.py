"""A prepared store: the pictures and pairs that ``edge-sr-host prepare`` wrote, read back and held to their hashes.

The folder holds store.json, MANIFEST.csv (one row a picture), rejected.csv (one row a file left out), and either arrays
(layout "store": pictures-SPLIT.npy, hr-SPLIT.npy, lr-SPLIT.npy) or files (layout "folders": SPLIT/HR_256/NAME.png and
SPLIT/LR_64/NAME.png).
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath

import cv2
import numpy as np

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.artifacts.strict_json import Fields, parse_json
from edge_sr.errors import IntegrityError, UsageError
from edge_sr.image.atomic import read_whole

SCHEMA_VERSION = 1
RECORD, LISTING, REJECTED = "store.json", "MANIFEST.csv", "rejected.csv"
LAYOUTS = ("store", "folders")
HR_FOLDER, LR_FOLDER = "HR_256", "LR_64"
MAX_PICTURES = 1 << 32  # of a split
MAX_BYTES = 1 << 30  # of a listing or a PNG of ours

_AGAIN = "edge-sr-host prepare, once more"


@dataclass(frozen=True)
class Row:
    """A row of MANIFEST.csv. path: of the source, below the folder that was prepared. sha256: of that file.

    index: its row in the arrays of its split. width, height: of the source. hr_sha256, lr_sha256: of the PNG files in
    the layout "folders", else "".
    """

    path: str
    source: str
    patient_id: str
    split: str
    view: str
    width: int
    height: int
    sha256: str
    index: int
    note: str = ""
    hr_sha256: str = ""
    lr_sha256: str = ""

    @property
    def name(self) -> str:
        """Of its two files in the layout "folders"."""
        return f"{PurePosixPath(self.path).stem}.png"


COLUMNS = tuple(column.name for column in fields(Row))


@dataclass(frozen=True)
class Store:
    """A store whose listing was the one of its record when it was opened; arrays are checked when they are first used.

    degradation: how LR was made, a key of ``DEGRADATIONS``. side: of ``pictures``. counts: pictures of each split.
    sha256: of every file that store.json answers for.
    """

    folder: Path
    layout: str
    degradation: str
    side: int
    counts: Mapping[str, int]
    sha256: Mapping[str, str]
    listed: tuple[Row, ...]
    _checked: set[str] = field(default_factory=set, repr=False, compare=False)

    def listing(self) -> Path:
        """Its MANIFEST.csv."""
        return self.folder / LISTING

    def rows(self, split: str) -> list[Row]:
        """The pictures of a split, in the order of its arrays. UsageError for an unknown split."""
        self._known(split)
        return sorted((row for row in self.listed if row.split == split), key=lambda row: row.index)

    def picture_path(self, row: Row) -> Path:
        """A picture's HR file in the layout "folders"; in the other one only a name, for messages."""
        in_folders = self.folder / row.split / HR_FOLDER / row.name
        return in_folders if self.layout == "folders" else self.folder / row.path

    def pictures(self, split: str) -> np.ndarray:
        """The stored pictures of a split: (n, S, S) uint8, S = ``side``, mapped from the disk.

        In the layout "folders" they are the HR pictures, S = 256, read into memory. Raises IntegrityError where a file
        is not what the record says, UsageError for an unknown split.
        """
        return self._array("pictures", split, self.side) if self.layout == "store" else self._files(split, HR_FOLDER)

    def pairs(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """HR (n, 256, 256) and LR (n, 64, 64) of a split, uint8, as prepared; errors as for ``pictures``."""
        if self.layout == "store":
            return self._array("hr", split, 256), self._array("lr", split, 64)
        return self._files(split, HR_FOLDER), self._files(split, LR_FOLDER)

    def _known(self, split: str) -> None:
        if split not in self.counts:
            raise UsageError(f"no such split: {split}", expected=", ".join(self.counts))

    def _array(self, kind: str, split: str, side: int) -> np.ndarray:
        self._known(split)
        name = array_name(kind, split)
        if name not in self._checked:
            check_file(self.folder, name, self.sha256)
            self._checked.add(name)
        array = np.load(self.folder / name, mmap_mode="r", allow_pickle=False)
        shape = (self.counts[split], side, side)
        if array.shape != shape or array.dtype != np.uint8:
            found = f"{array.dtype}{list(array.shape)}"
            raise IntegrityError(
                f"holds {found}", where=self.folder / name, expected=f"uint8{list(shape)}", hint=_AGAIN
            )
        return np.asarray(array)

    def _files(self, split: str, folder: str) -> np.ndarray:
        rows = self.rows(split)
        side = 256 if folder == HR_FOLDER else 64
        stack = np.empty((len(rows), side, side), np.uint8)
        for into, row in zip(stack, rows, strict=True):
            path = self.folder / split / folder / row.name
            into[:] = _checked_png(path, row.hr_sha256 if folder == HR_FOLDER else row.lr_sha256, side)
        return stack


def open_store(folder: Path) -> Store | None:
    """The store in ``folder``; None where there is no store.json.

    Raises IntegrityError for a record that is unfit or of another version, and for a changed listing.
    """
    path = folder / RECORD
    if not path.is_file():
        return None
    record = Fields(parse_json(path.read_bytes(), path), f"{path}: ")
    record.integer("schema_version", SCHEMA_VERSION, SCHEMA_VERSION)
    pictures = record.child("pictures")
    sha256 = {name: str(value) for name, value in record.child("sha256").raw.items()}
    check_file(folder, LISTING, sha256)
    return Store(
        folder=folder,
        layout=record.choice("layout", LAYOUTS),
        degradation=record.text("degradation"),
        side=record.integer("side", 256, 1 << 16),
        counts={split: pictures.integer(split, 0, MAX_PICTURES) for split in pictures.raw},
        sha256=sha256,
        listed=_read_rows(folder / LISTING),
    )


def array_name(kind: str, split: str) -> str:
    """File name of an array of the layout "store"; kind: "pictures", "hr" or "lr"."""
    return f"{kind}-{split}.npy"


def check_file(folder: Path, name: str, sha256: Mapping[str, str]) -> None:
    """IntegrityError where a file is missing, is not in the record, or is not what the record says."""
    if name not in sha256 or not (folder / name).is_file():
        raise IntegrityError("is missing", where=folder / name, expected=f"it, as {RECORD} lists it", hint=_AGAIN)
    if (found := file_sha256(folder / name)) != sha256[name]:
        raise _changed(folder / name, found, sha256[name])


def csv_text(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A CSV file with a header line, its lines ended by LF: the same bytes everywhere."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def _read_rows(path: Path) -> tuple[Row, ...]:
    try:
        with path.open(newline="", encoding="utf-8") as lines:
            return tuple(_row(cells) for cells in csv.DictReader(lines))
    except (KeyError, ValueError, csv.Error) as error:
        raise IntegrityError(f"is not the listing of a store ({error})", where=path, hint=_AGAIN) from error


def _row(cells: Mapping[str, str]) -> Row:
    numbers = {name: int(cells[name]) for name in ("width", "height", "index")}
    return Row(**{name: cells[name] for name in COLUMNS if name not in numbers}, **numbers)  # type: ignore[arg-type]


def _checked_png(path: Path, sha256: str, side: int) -> np.ndarray:
    if not path.is_file():
        raise IntegrityError("is missing", where=path, expected=f"it, as {LISTING} lists it", hint=_AGAIN)
    content = read_whole(path, max_bytes=MAX_BYTES)
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise _changed(path, found, sha256)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or pixels.shape != (side, side) or pixels.dtype != np.uint8:
        raise IntegrityError("is no picture of the store", where=path, expected=f"{side}x{side} grey, 8 bit")
    return np.asarray(pixels)


def _changed(path: Path, found: str, expected: str) -> IntegrityError:
    what = f"was changed: its sha256 is {found[:12]}..."
    return IntegrityError(what, where=path, expected=f"{expected[:12]}...", hint=_AGAIN)
