"""The pictures that an evaluation looks at, read one at a time: a set may be larger than the memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.errors import EnvironmentFault, InputError, UsageError
from host_training.data.protocol import HR_SIDE, grey_of, listing, lr_of, pictures_of
from host_training.data.store import Store, open_store

SETS = {  # name -> folder of the data and split; other institutions are test only
    "nih-test": ("nih", "test"),
    "nih-validation": ("nih", "validation"),
    "hannover": ("hannover", "test"),
}
FITTING_SET = "nih-validation"

PairOf = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
"""(number, side) -> HR (side, side) and LR (side / 4, side / 4), both uint8."""


@dataclass(frozen=True, eq=False)
class Sample:
    """One picture, uint8. lr, other_lr: (h, w); other_lr is that of the picture before. hr: (4h, 4w)."""

    lr: np.ndarray
    hr: np.ndarray
    other_lr: np.ndarray


@dataclass(frozen=True, eq=False)
class PictureSet:
    """ids: paths below the data folder. side: of the smallest stored picture, the largest HR there is.

    degradation: how LR is made from HR. split_sha256: of every picture and patient of the split, those that a limit
    left out included. listing_sha256: of the MANIFEST.csv that lists them.
    """

    name: str
    degradation: str
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    side: int
    split_sha256: str
    listing_sha256: str
    pair: PairOf

    def __len__(self) -> int:
        return len(self.ids)

    def sample(self, number: int, side: int) -> Sample:
        """Picture ``number`` at an HR of ``side`` pixels."""
        hr, lr = self.pair(number, side)
        return Sample(lr, hr, self.pair((number - 1) % len(self), side)[1])


def read_set(data_dir: Path | None, word: str, *, limit: int | None = None) -> PictureSet:
    """The set of that name in the data folder, or the test split of the prepared store at that path.

    limit: that many of its pictures, spread evenly. Raises EnvironmentFault where there is no picture of it, UsageError
    where ``word`` is neither, InputError for a picture that cannot be decoded.
    """
    if word in SETS:
        return _named(_needed(data_dir, word), word, limit)
    return _stored(_store(Path(word)), Path(word), "test", limit)


def fitting_set(data_dir: Path | None, word: str, *, limit: int | None = None) -> PictureSet | None:
    """What may be fitted on before ``word`` is measured: the validation split beside it; None where there is none."""
    try:
        if word in SETS:
            return _named(_needed(data_dir, word), FITTING_SET, limit)
        return _stored(_store(Path(word)), Path(word), "validation", limit)
    except EnvironmentFault:
        return None


def _needed(data_dir: Path | None, word: str) -> Path:
    if data_dir is None:
        raise UsageError(f"the set {word} needs the data folder", where="--data", hint="export EDGE_SR_DATA=FOLDER")
    if open_store(data_dir) is not None:
        raise UsageError(f"has no set {word}: it is a prepared store", where=data_dir, hint="leave out --set")
    return data_dir


def _store(folder: Path) -> Store:
    store = open_store(folder) if folder.is_dir() else None
    if store is None:
        what = "is no prepared store" if folder.is_dir() else "no such set"
        expected = f"{', '.join(SETS)} or a folder that edge-sr-host prepare has written"
        raise UsageError(what, where=folder, expected=expected, hint="edge-sr-host prepare --help")
    return store


def _named(data_dir: Path, name: str, limit: int | None) -> PictureSet:
    """Pictures as stored, reduced by area averaging; LR is the 4x4 mean."""
    folder, split = SETS[name]
    listed = pictures_of(data_dir, split, folder=folder)
    pairs = [(picture.path.relative_to(data_dir).as_posix(), picture.patient_id) for picture in listed]
    chosen = [listed[i] for i in spread_evenly(len(listed), limit)]
    if not chosen:
        raise EnvironmentFault(f"no picture of {name}", where=data_dir / "MANIFEST.csv")

    def pair(number: int, side: int) -> tuple[np.ndarray, np.ndarray]:
        return area_pair(grey_of(chosen[number].path), side)

    side = min(stored_side(picture.path) for picture in chosen)
    return _picture_set(name, "area", pairs, limit, side, listing(data_dir), pair)


def _stored(store: Store, folder: Path, split: str, limit: int | None) -> PictureSet:
    """A split of a store. Of the area mean there is every scale, of another degradation the pairs as prepared."""
    listed = [(row.path, row.patient_id) for row in store.rows(split)]
    if not listed:
        raise EnvironmentFault(f"its {split} split is empty", where=folder, hint="prepare more patients")
    numbers = spread_evenly(len(listed), limit)
    pair: PairOf
    if store.degradation == "area":
        pictures = store.pictures(split)
        side = int(pictures.shape[-1])

        def pair(number: int, side: int) -> tuple[np.ndarray, np.ndarray]:
            return area_pair(pictures[numbers[number]], side)
    else:
        hr, lr = store.pairs(split)
        side = HR_SIDE

        def pair(number: int, side: int) -> tuple[np.ndarray, np.ndarray]:
            return np.asarray(hr[numbers[number]]), np.asarray(lr[numbers[number]])

    return _picture_set(folder.resolve().name, store.degradation, listed, limit, side, store.listing(), pair)


def _picture_set(
    name: str,
    degradation: str,
    listed: Sequence[tuple[str, str]],
    limit: int | None,
    side: int,
    listing_file: Path,
    pair: PairOf,
) -> PictureSet:
    chosen = [listed[i] for i in spread_evenly(len(listed), limit)]
    ids, patients = (tuple(part) for part in zip(*chosen, strict=True))
    return PictureSet(name, degradation, ids, patients, side, split_sha256(listed), file_sha256(listing_file), pair)


def spread_evenly(count: int, limit: int | None) -> list[int]:
    """``limit`` of the numbers below ``count``, all where there are fewer."""
    chosen = min(limit or count, count)
    return [i * count // chosen for i in range(chosen)]


def split_sha256(listed: Sequence[tuple[str, str]]) -> str:
    """sha256 of the sorted lines "path,patient_id": two splits of one hash hold the same pictures."""
    lines = sorted(f"{path},{patient}\n" for path, patient in listed)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def area_pair(stored: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) uint8 -> HR (side, side), reduced by area averaging, and LR, its 4x4 mean; both uint8."""
    hr = np.asarray(cv2.resize(stored, (side, side), interpolation=cv2.INTER_AREA))
    return hr, lr_of(hr)


def stored_side(path: Path) -> int:
    """The smaller side of a picture file, from its header. InputError where it has none or is too small."""
    try:
        with Image.open(path) as picture:
            side = int(min(picture.size))
    except OSError as error:
        raise InputError("cannot be decoded", where=path, expected="an 8-bit grey PNG or JPEG") from error
    if side < HR_SIDE:
        raise InputError(f"{side} pixels wide or high", where=path, expected=f"at least {HR_SIDE}")
    return side
