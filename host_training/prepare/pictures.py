"""One file of a radiograph: is it fit, and what do we keep of it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from edge_sr.errors import InputError
from edge_sr.image.radiograph import Radiograph, read_radiograph
from host_training.data.degradations import degrade, hr_for

LEAST_CONTRAST = 2.0  # grey levels of 255, standard deviation; a blank film with its noise has less
SIXTEEN_BIT = 65535
LEAST_SHARE = 1 / 8  # of the declared range; what stays below is most often 12 bits in a 16-bit file, almost black

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # of an object of Pillow's, in its messages: another one at every run


@dataclass(frozen=True)
class Recipe:
    """What is made of a picture. side: of the stored picture. white: the value of 16-bit files that becomes 255."""

    degradation: str
    side: int
    seed: int
    white: int = SIXTEEN_BIT


@dataclass(frozen=True)
class Reading:
    """What a fit file is. sha256: of its bytes; pixels_sha256: of what they decode to. note: what reading changed."""

    sha256: str
    pixels_sha256: str
    width: int
    height: int
    note: str


@dataclass(frozen=True, eq=False)
class Made:
    """pictures: (S, S); hr: (256, 256); lr: (64, 64), all uint8. Named as the arrays they go to."""

    pictures: np.ndarray
    hr: np.ndarray
    lr: np.ndarray


def judge(path: Path, recipe: Recipe) -> Reading:
    """Decode a file and look at it, its header before its pixels. InputError, with the reason, where it is unfit."""
    radiograph = read_radiograph(path)
    height, width = radiograph.pixels.shape
    if min(height, width) < recipe.side:
        raise InputError(f"too small: {width}x{height}, less than {recipe.side}", where=path)
    stored = _stored(eight_bit(centre_square(radiograph.pixels), recipe.white), recipe.side)
    contrast = float(stored.std())
    if contrast < LEAST_CONTRAST:
        raise InputError(f"flat: its standard deviation is {contrast:.2f} of 255", where=path)
    return Reading(radiograph.sha256, pixels_sha256(radiograph.pixels), width, height, _note(radiograph, recipe))


def make(path: Path, recipe: Recipe, *, sha256: str) -> Made:
    """What is kept of a file that was judged fit. InputError where it is not the file that was judged."""
    radiograph = read_radiograph(path)
    if radiograph.sha256 != sha256:
        raise InputError("was changed while it was prepared", where=path, hint="the same command again")
    square = eight_bit(centre_square(radiograph.pixels), recipe.white)
    stored = _stored(square, recipe.side)
    # The published pairs were interpolated straight from the original: antialiasing first would change them.
    source = square if recipe.degradation.startswith("cubic") else stored
    hr = hr_for(recipe.degradation, source)
    rng = np.random.Generator(np.random.PCG64([recipe.seed, int(sha256[:16], 16)]))
    return Made(stored, hr, degrade(recipe.degradation, hr=hr, stored=source, rng=rng))


def reason(error: InputError) -> str:
    """A refusal for rejected.csv: the same words at every run, and without the path, which stands beside it."""
    text = f"{error.what}; expected {error.expected}" if error.expected else error.what
    return " ".join(_ADDRESS.sub("", text).split())


def centre_square(pixels: np.ndarray) -> np.ndarray:
    """(H, W) -> the (s, s) in its middle, s the smaller of the two; an odd rest is cut at the bottom or the right."""
    height, width = pixels.shape
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[top : top + side, left : left + side]


def eight_bit(pixels: np.ndarray, white: int = SIXTEEN_BIT) -> np.ndarray:
    """uint8 as it is; uint16 from 0..``white`` to 0..255, rounded: the range that is declared, not what is used of it.

    So a picture keeps its exposure. InputError for values above ``white``, and for a picture that would be all but
    black because it uses less than an eighth of the range.
    """
    if pixels.dtype == np.uint8:
        return np.ascontiguousarray(pixels)
    largest = int(pixels.max())
    if largest > white:
        raise InputError(f"beyond white: holds {largest}", expected=f"0 to {white}")
    if largest < white * LEAST_SHARE:
        raise InputError(f"range not declared: 16 bit, but nothing above {largest}", expected=f"0 to {white}")
    return np.rint(pixels.astype(np.float32) * np.float32(255 / white)).astype(np.uint8)


def pixels_sha256(pixels: np.ndarray) -> str:
    """sha256 of the shape, the depth and the values: the same for one picture in two files or formats."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype.name}".encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


def _stored(square: np.ndarray, side: int) -> np.ndarray:
    return np.asarray(cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA))


def _note(radiograph: Radiograph, recipe: Recipe) -> str:
    scaled = f"16 bit scaled to 8 from 0..{recipe.white}" if radiograph.bit_depth == 16 else ""
    return ", ".join(note for note in (radiograph.note, scaled) if note)
