"""The pictures that an evaluation looks at, read into memory: a set of 300 is 21 MB."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sr.errors import EnvironmentFault
from edge_sr.image.radiograph import from_unit
from host_training.data.crops import unit
from host_training.data.protocol import Picture, hr_of, lr_of, pictures_of

SETS = {  # name -> folder of the data and split; other institutions are test only
    "nih-test": ("nih", "test"),
    "nih-validation": ("nih", "validation"),
    "hannover": ("hannover", "test"),
}
BATCH = 8  # pictures a call: more gains nothing on a CPU


@dataclass(frozen=True, eq=False)
class PictureSet:
    """ids: paths below the data folder. hr: (n, 256, 256) uint8. lr: (n, 64, 64) uint8.

    split_sha256: of every picture and patient of the split, those that a limit left out included.
    """

    name: str
    ids: tuple[str, ...]
    patients: tuple[str, ...]
    hr: np.ndarray
    lr: np.ndarray
    split_sha256: str

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class Batch:
    """What a row may look at, float32 in [0, 1].

    lr, other_lr: (N, 1, 64, 64); other_lr is that of the picture before each. hr: (N, 1, 256, 256).
    """

    lr: np.ndarray
    hr: np.ndarray
    other_lr: np.ndarray


def read_set(data_dir: Path, name: str, *, limit: int | None = None) -> PictureSet:
    """The set called ``name``; with a limit that many of its pictures, spread evenly.

    Raises EnvironmentFault where the data folder holds none of it, InputError for a picture that cannot be decoded.
    """
    folder, split = SETS[name]
    listed = pictures_of(data_dir, split, folder=folder)
    if not listed:
        raise EnvironmentFault(f"no picture of {name}", where=data_dir / "MANIFEST.csv")
    count = min(limit or len(listed), len(listed))
    chosen = [listed[i * len(listed) // count] for i in range(count)]
    hr = np.stack([hr_of(picture.path) for picture in chosen])
    return PictureSet(
        name,
        tuple(_id(picture, data_dir) for picture in chosen),
        tuple(picture.patient_id for picture in chosen),
        hr,
        lr_of(hr),
        split_sha256(listed, data_dir),
    )


def split_sha256(pictures: Sequence[Picture], data_dir: Path) -> str:
    """sha256 of the sorted lines "path,patient_id": two splits of one hash hold the same pictures."""
    lines = sorted(f"{_id(picture, data_dir)},{picture.patient_id}\n" for picture in pictures)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def batches(pictures: PictureSet) -> Iterator[Batch]:
    """All pictures in order, ``BATCH`` at a time."""
    other_lr = np.roll(pictures.lr, 1, axis=0)
    for start in range(0, len(pictures), BATCH):
        chosen = slice(start, start + BATCH)
        lr, hr, other = (field[chosen, None] for field in (pictures.lr, pictures.hr, other_lr))  # (N, 1, H, W)
        yield Batch(unit(lr), unit(hr), unit(other))


def to_eight_bits(sr: np.ndarray) -> np.ndarray:
    """(N, 1, H, W) float32 in [0, 1] -> (N, H, W) uint8, rounded as the product rounds what it writes."""
    return np.stack([from_unit(one[None], 8) for one in sr])


def _id(picture: Picture, data_dir: Path) -> str:
    return picture.path.relative_to(data_dir).as_posix()
