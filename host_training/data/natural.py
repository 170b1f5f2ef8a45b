"""Natural pictures in colour: which of a folder belong to which split, how one is read, and what is measured of it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from host_training.data.imresize import imresize
from host_training.data.protocol import SCALE, SPLITS, split_of

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
DIV2K = {"train": "DIV2K_train_HR", "validation": "DIV2K_valid_HR"}  # as its archives unpack; test HR is not published
PIXELS = {1: "L", 3: "RGB"}  # Pillow's mode for so many channels
GREY = ("1", "L", "LA")  # Pillow's modes
EIGHT_BIT = (*GREY, "P", "RGB", "RGBA", "CMYK", "YCbCr")
SCALED_NAME = re.compile(r"(.+)T\d")  # the stem of a picture that ``edge-sr-host multiscale`` wrote
LUMA, LUMA_OF_BLACK = np.array([65.481, 128.553, 24.966]), 16.0  # ITU-R BT.601, 16 to 235, of RGB in [0, 1]


def natural_paths(folder: Path, split: str) -> list[Path]:
    """The pictures of one split, in the order of their paths. UsageError for an unknown split.

    Where there is a folder DIV2K_train_HR: train is that, validation DIV2K_valid_HR, and test has none. In any other
    folder each picture below it goes by a hash of its name, without suffix and without the mark of another size of it;
    so the sizes of one picture stand together. EnvironmentFault where the split has no picture.
    """
    if split not in SPLITS:
        raise UsageError(f"no such split: {split}", expected=", ".join(SPLITS))
    if (folder / DIV2K["train"]).is_dir():
        found = pictures_below(folder / DIV2K[split]) if split in DIV2K else []
    else:
        found = [path for path in pictures_below(folder) if split_of(picture_name(path)) == split]
    if not found:
        expected = f"{DIV2K['train']} and {DIV2K['validation']}, or some tens of pictures to share out by name"
        raise EnvironmentFault(f"no picture in its {split} split", where=folder, expected=expected)
    return found


def pictures_below(folder: Path) -> list[Path]:
    """Every visible picture file below a folder, by its name's suffix, in the order of the paths."""
    found = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    below = (path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts))
    return sorted(path for path in below if path.is_file())


def picture_name(path: Path) -> str:
    """By which a picture is known, whatever its size: 0001 of 0001.png and of 0001T2.png."""
    scaled = SCALED_NAME.fullmatch(path.stem)
    return scaled[1] if scaled else path.stem


def natural_picture(path: Path, *, channels: int | None = None) -> np.ndarray:
    """A picture file of 8 bits: (H, W, 3) uint8 RGB, or (H, W) uint8 full-range luma for one channel.

    channels: 3 or 1; by default as the file has it. Errors as for ``upright``.
    """
    picture = upright(path)
    return np.asarray(picture.convert(PIXELS[channels]) if channels else picture)


def upright(path: Path) -> Image.Image:
    """A picture file of 8 bits as Pillow's RGB, or L where it is grey: turned as EXIF says, without transparency.

    InputError for what cannot be read whole, and for 16 bits.
    """
    try:
        with Image.open(path) as file:
            if file.mode not in EIGHT_BIT:
                raise InputError(f"has Pillow's mode {file.mode}", where=path, expected="8 bits a channel")
            return ImageOps.exif_transpose(file).convert("L" if file.mode in GREY else "RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as fault:  # what Pillow's readers raise
        raise InputError(f"cannot be read ({fault})", where=path, expected="a whole PNG, JPEG, BMP or TIFF") from fault


def pair_of(hr: np.ndarray, scale: int = SCALE) -> tuple[np.ndarray, np.ndarray]:
    """HR, cut at the bottom and the right to multiples of ``scale``, and its LR by MATLAB's bicubic: uint8 both.

    hr: (H, W) or (H, W, 3). The published figures on Set5, Set14 and DIV2K are for such pairs.
    """
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    hr = hr[: height * scale, : width * scale]
    return hr, imresize(hr, height, width)


def luma(picture: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) uint8, 16 to 235 as MATLAB's ``rgb2ycbcr``; a grey picture is its own luma.

    Published PSNR of natural pictures is that of luma, without a border of ``scale`` pixels.
    """
    if picture.ndim == 2:
        return picture
    return np.rint(picture.astype(np.float64) / 255 @ LUMA + LUMA_OF_BLACK).astype(np.uint8)


def without_border(picture: np.ndarray, width: int = SCALE) -> np.ndarray:
    """(H, W) -> (H - 2 width, W - 2 width)."""
    return picture[width:-width, width:-width]
