"""HR pictures of a folder, and the LR that is made of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_sr.errors import InputError, UsageError
from edge_sr.image.consistency import area_mean
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.planes import planes
from edge_sr.image.radiograph import Radiograph, from_unit, read_radiograph

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
PHANTOM = "phantom"
# ChestX-ray14 names its pictures <patient>_<number>; others tell nothing of whose they are.
_OF_PATIENT = re.compile(r"(\d{6,})_\d+")


@dataclass(frozen=True)
class HrPicture:
    """read: (H, W) uint8 or uint16."""

    name: str
    read: Callable[[], np.ndarray]


def pictures_in(folder: Path, *, limit: int, side: int) -> list[HrPicture]:
    """``limit`` of the pictures below ``folder``, spread evenly over their names; see ``reduced`` for side.

    UsageError where there is none.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", where=f"--quality {folder}", expected="a folder of HR pictures")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not paths:
        raise UsageError("no picture in it", where=f"--quality {folder}", expected="PNG, TIFF or JPEG files")
    count = min(limit, len(paths))
    chosen = [paths[number * len(paths) // count] for number in range(count)]
    return [_picture(path, folder, side) for path in chosen]


def _picture(path: Path, folder: Path, side: int) -> HrPicture:
    return HrPicture(path.relative_to(folder).as_posix(), lambda: reduced(_grey(path), side))


def phantoms(side: int, count: int) -> list[HrPicture]:
    """Where there is no folder: they show what a variant does, and say nothing of its quality."""
    return [HrPicture(f"{PHANTOM} {n}", lambda n=n: chest_phantom(side, seed=100 + n)) for n in range(count)]  # type: ignore[misc]


def _grey(path: Path) -> np.ndarray:
    """Of a picture in colour its luma."""
    return read_radiograph(path, colour="luma").pixels


def reduced(hr: np.ndarray, side: int) -> np.ndarray:
    """(H, W) by area averaging so that its smaller side is ``side``; as it is where that is 0 or not smaller."""
    height, width = hr.shape
    if not 0 < side < min(height, width):
        return hr
    ratio = side / min(height, width)
    size = (max(side, round(width * ratio)), max(side, round(height * ratio)))
    return np.asarray(cv2.resize(hr, size, interpolation=cv2.INTER_AREA))


def pair(hr: np.ndarray, scale: int) -> tuple[np.ndarray, Radiograph]:
    """HR, cut to a multiple of ``scale``, and LR: the mean of scale x scale pixels, in the integers of HR."""
    height, width = (side // scale * scale for side in hr.shape)
    if min(height, width) < 8 * scale:
        raise InputError(f"{hr.shape[1]}x{hr.shape[0]} pixels", expected=f"sides of at least {8 * scale}")
    hr = np.ascontiguousarray(hr[:height, :width])
    full = np.iinfo(hr.dtype).max
    lr = from_unit(area_mean(planes(hr).astype(np.float64), scale) / full, hr.itemsize * 8)
    return hr, Radiograph(lr, hr.itemsize * 8, "0" * 64)


def patients_of(names: list[str]) -> list[str] | None:
    """Whose each picture is, where all of the names tell; else None."""
    found = [_OF_PATIENT.fullmatch(Path(name).stem) for name in names]
    return [match.group(1) for match in found if match] if all(found) else None
