"""The one data protocol: which picture belongs to which split, and what HR and LR are.

HR is 256x256 uint8 by area averaging from the stored picture; LR is the 4x4 mean of HR, rounded to 8 bit. The split is
a hash of the patient id, so it stays when pictures are added and no patient stands on two sides.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from edge_sr.image.consistency import area_mean
from host_training.data.store import Row, Store, open_store

HR_SIDE = 256
SCALE = 4
SPLITS = ("train", "validation", "test")
Shares = tuple[int, int, int]  # of the patients in each split, percent


@dataclass(frozen=True)
class Picture:
    """One stored radiograph and whose it is."""

    path: Path
    source: str
    patient_id: str


def split_of(patient_id: str, shares: Shares = (70, 20, 10)) -> str:
    """By the first 8 bytes of sha256(patient_id) / 2^64: below 0.7 train, below 0.9 validation, else test.

    shares: other percentages of the patients, in train, validation and test.
    """
    train, validation, _ = shares
    percent = 100 * int.from_bytes(hashlib.sha256(patient_id.encode()).digest()[:8], "big")  # times 2^64, exactly
    return "train" if percent < train << 64 else "validation" if percent < (train + validation) << 64 else "test"


def listing(data_dir: Path) -> Path:
    """The data set's MANIFEST.csv. Raises EnvironmentFault where there is none."""
    manifest = data_dir / "MANIFEST.csv"
    if not manifest.is_file():
        raise EnvironmentFault(
            "no MANIFEST.csv here", where=data_dir, expected="the data folder", hint="export EDGE_SR_DATA=FOLDER"
        )
    return manifest


def read_index(data_dir: Path, *, folder: str = "nih") -> list[Picture]:
    """The pictures of one folder of the data set, in the order of their names; of a prepared store all it has.

    Raises EnvironmentFault where ``data_dir`` has no MANIFEST.csv or lists nothing for ``folder``.
    """
    manifest = listing(data_dir)
    if (store := open_store(data_dir)) is not None:
        return _stored(store, store.listed)
    with manifest.open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["path"].startswith(f"{folder}/")]
    if not rows:
        raise EnvironmentFault(f"no picture of {folder}/ listed", where=manifest)
    return sorted((Picture(data_dir / r["path"], r["source"], r["patient_id"]) for r in rows), key=lambda p: p.path)


def pictures_of(data_dir: Path, split: str, *, folder: str = "nih") -> list[Picture]:
    """The pictures of one split. Other folders than ``nih`` are test only, whatever the hash says.

    A prepared store has its own split, and the paths of its layout "store" are names only: its pictures are in arrays.
    """
    if split not in SPLITS:
        raise UsageError(f"no such split: {split}", expected=", ".join(SPLITS))
    if (store := open_store(data_dir)) is not None:
        return _stored(store, store.rows(split))
    if folder != "nih":
        return read_index(data_dir, folder=folder) if split == "test" else []
    return [p for p in read_index(data_dir, folder=folder) if split_of(p.patient_id) == split]


def _stored(store: Store, rows: Iterable[Row]) -> list[Picture]:
    return [Picture(store.picture_path(row), row.source, row.patient_id) for row in rows]


def hr_of(path: Path) -> np.ndarray:
    """The ground truth of a stored picture: (256, 256) uint8, reduced by area averaging."""
    return np.asarray(cv2.resize(grey_of(path), (HR_SIDE, HR_SIDE), interpolation=cv2.INTER_AREA))


def grey_of(path: Path) -> np.ndarray:
    """A stored picture: (H, W) uint8."""
    stored = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if stored is None:
        raise InputError("cannot be decoded", where=path, expected="an 8-bit grey PNG or JPEG")
    return np.asarray(stored)


def lr_of(hr: np.ndarray) -> np.ndarray:
    """The low-resolution picture: (..., H, W) uint8 -> (..., H/4, W/4) uint8, the 4x4 mean, halves rounded to even."""
    mean = area_mean(hr.reshape(-1, 1, *hr.shape[-2:]).astype(np.float32), SCALE)
    return np.rint(mean).astype(np.uint8).reshape(*hr.shape[:-2], *mean.shape[-2:])
