"""Reading a radiograph: PNG, TIFF or JPEG to grey pixels that keep their bit depth, or a clear refusal.

The header is read and judged before anything is decoded. Pillow decodes: it tells a truncated file from a whole one.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.image.atomic import read_whole
from edge_sr.image.planes import planes
from edge_sr.image.png import SIGNATURE as PNG_SIGNATURE
from edge_sr.image.png import chunks
from edge_sr.image.refusals import Refused

MIN_SIDE = 8  # one block of the latent grid needs it, and nothing smaller shows anatomy
MAX_PIXELS = 64_000_000  # four times a 4000 x 4000 detector; decoded and upscaled it still fits a board's memory
STRIP = 1 << 14  # pixels at a time from float to integers: what is in between, 64 KiB, stays in a near cache
ORIENTATION, BITS_PER_SAMPLE, PHOTOMETRIC = 274, 258, 262  # TIFF 6.0 tags; EXIF shares the first

# By its first bytes rather than Image.open: a name proves nothing, other formats stay out, and the opening is faster.
READERS: dict[bytes, type[ImageFile]] = {
    PNG_SIGNATURE: PngImageFile,
    b"\xff\xd8\xff": JpegImageFile,
    b"II*\0": TiffImageFile,
    b"MM\0*": TiffImageFile,
    b"II+\0": TiffImageFile,  # BigTIFF
}

Colour = Literal["refuse", "luma", "rgb"]

# What reading may change, as a picture's record tells it.
NOTES = (
    ROTATED := "rotated as EXIF says",
    ONE_BIT := "1-bit picture",
    SPREAD := "12 bits spread over 16",
    WHITE_IS_ZERO := "white is zero in the file",
    ALPHA_DROPPED := "opaque alpha dropped",
    GREY_AS_COLOUR := "grey stored as colour",
    LUMA := "luma of a colour picture",
)


@dataclass(frozen=True)
class Radiograph:
    """A picture as read.

    pixels: (H, W) uint8 or uint16, C-contiguous, 0 is black; may be read-only; (H, W, 3) uint8 of a colour source read
        with colour="rgb". bit_depth: 8 or 16.
    sha256: of the file's bytes. note: those of NOTES that apply, joined by ", ".
    chroma: (H, W, 2) uint8, Cr and Cb of a colour source read with colour="luma", else None.
    """

    pixels: np.ndarray
    bit_depth: int
    sha256: str
    note: str = ""
    chroma: np.ndarray | None = None


def read_radiograph(path: Path | str, *, max_pixels: int = MAX_PIXELS, colour: Colour = "refuse") -> Radiograph:
    """Read one file; InputError for anything unfit.

    colour: "refuse" a picture with colour, take its "luma" (full-range Y of ITU-R BT.601) and keep the chroma, or keep
    it as it is, "rgb". Grey stored as colour is grey in each.
    """
    where = Path(path)
    check_colour(colour)
    content = read_whole(where, max_bytes=most_bytes(max_pixels))
    try:
        return radiograph_of(content, where, max_pixels=max_pixels, colour=colour)
    except MemoryError:
        raise Refused("memory", where=where) from None


def radiograph_of(
    content: bytes,
    where: object = "",
    *,
    max_pixels: int = MAX_PIXELS,
    colour: Colour = "refuse",
    sha256: str | None = None,
) -> Radiograph:
    """The same of a file's bytes. where: how messages call it. sha256: of the bytes where it is known.

    Refused for anything unfit; MemoryError where there is too little to decode it.
    """
    check_colour(colour)
    notes: list[str] = []
    image = _open_header(content, where)
    _check_geometry(image, where, max_pixels)
    _check_kind(image, content, where)
    samples = _decode(image, content, where, notes)  # (H, W) or (H, W, channels)
    pixels = _without_alpha(samples, where, notes)
    if pixels.ndim == 3:
        pixels = _grey_of_equal(pixels, notes)
    if pixels.ndim == 3 and colour == "refuse":
        raise Refused("colour", where=where)
    pixels = np.ascontiguousarray(pixels)
    digest = hashlib.sha256(content).hexdigest() if sha256 is None else sha256
    radiograph = Radiograph(pixels, 8 * pixels.itemsize, digest, ", ".join(notes))
    return with_luma(radiograph) if colour == "luma" else radiograph


def check_colour(colour: str) -> None:
    if colour not in get_args(Colour):
        raise UsageError(f"unknown colour treatment {colour!r}", expected=" or ".join(get_args(Colour)))


def most_bytes(max_pixels: int) -> int:
    """The largest file that can hold so many: 16-bit RGBA uncompressed, and room for metadata."""
    return 8 * max_pixels + (1 << 24)


def with_luma(radiograph: Radiograph) -> Radiograph:
    """A colour picture as its luma, with the chroma kept; a grey one as it is."""
    if radiograph.pixels.ndim == 2:
        return radiograph
    import cv2  # here, because a grey picture does not need its import time

    ycrcb = cv2.cvtColor(radiograph.pixels, cv2.COLOR_RGB2YCrCb)
    luma, chroma = np.ascontiguousarray(ycrcb[..., 0]), np.ascontiguousarray(ycrcb[..., 1:])
    note = f"{radiograph.note}, {LUMA}" if radiograph.note else LUMA
    return replace(radiograph, pixels=luma, note=note, chroma=chroma)


def _open_header(content: bytes, where: object) -> ImageFile:
    reader = next((reader for magic, reader in READERS.items() if content.startswith(magic)), None)
    if reader is None:
        raise Refused("unknown-format", where=where)
    try:
        return reader(io.BytesIO(content))
    except Exception as fault:  # hostile bytes make Pillow raise almost anything, and all of it means the same here
        raise _refused("header", fault, where) from fault


def _refused(code: str, fault: Exception, where: object) -> Refused:
    """The refusal for what Pillow raised, with its words as the detail."""
    if isinstance(fault, MemoryError) or str(fault).startswith("out of memory"):  # libtiff's, through Pillow
        raise MemoryError from fault
    printable = "".join(letter if letter.isprintable() else "?" for letter in str(fault))
    return Refused(code, where=where, detail=printable)


def _check_geometry(image: ImageFile, where: object, max_pixels: int) -> None:
    width, height = image.size
    if min(width, height) < MIN_SIDE:
        raise Refused("too-small", width, height, MIN_SIDE, where=where)
    if width * height > max_pixels:
        raise Refused("too-large", width, height, max_pixels, where=where)
    # Pillow's TIFF reader asks its own guard again while decoding; a caller who allows more has decided already.
    if Image.MAX_IMAGE_PIXELS is not None and max_pixels > Image.MAX_IMAGE_PIXELS:
        Image.MAX_IMAGE_PIXELS = max_pixels


def _check_kind(image: ImageFile, content: bytes, where: object) -> None:
    """Refuse what the header already rules out."""
    if getattr(image, "is_animated", False):
        raise Refused("several", where=where)
    if image.mode == "F":
        raise Refused("float", where=where)
    if image.mode in ("RGB", "RGBA", "LA", "P", "PA") and _bits_per_sample(image, content) > 8:
        raise Refused("wide-channels", where=where)  # Pillow would drop the low byte without a word


def _bits_per_sample(image: ImageFile, content: bytes) -> int:
    if isinstance(image, PngImageFile):
        return content[24]  # IHDR comes first and has a fixed layout: PNG specification, section 11.2.1
    if isinstance(image, TiffImageFile):
        return int(max(image.tag_v2.get(BITS_PER_SAMPLE, (1,))))
    return 8


def _decode(image: ImageFile, content: bytes, where: object, notes: list[str]) -> np.ndarray:
    """Pixels the right way up: (H, W) uint8 or uint16, or (H, W, 2 to 4) uint8."""
    if isinstance(image, PngImageFile):
        for _ in chunks(content, where):  # checks lengths and CRCs
            pass
    try:
        orientation = image.getexif().get(ORIENTATION, 1)  # before load(), where TIFF is rotated and the tag dropped
        image.load()
        if orientation in range(2, 9):
            ImageOps.exif_transpose(image, in_place=True)
            notes.append(ROTATED)
        return _samples(image, where, notes)
    except EdgeSRError:
        raise
    except Exception as fault:  # as in _open_header
        raise _refused("damaged", fault, where) from fault


def _samples(image: ImageFile, where: object, notes: list[str]) -> np.ndarray:
    mode = image.mode
    if mode.startswith(("1", "L", "I")) and "transparency" in image.info:
        raise Refused("transparent", where=where)
    if mode == "1":
        notes.append(ONE_BIT)
        return np.asarray(image.convert("L"))
    if mode.startswith("I"):
        return _sixteen_bit(image, where, notes)
    if mode == "PA" or "transparency" in image.info:
        return np.asarray(image.convert("RGBA"))
    if mode == "P":
        return np.asarray(image.convert("RGB"))
    if mode in ("L", "LA", "RGB", "RGBA"):
        _note_white_is_zero(image, notes)
        return np.asarray(image)
    raise Refused("kind", where=where, detail=mode)


def _sixteen_bit(image: ImageFile, where: object, notes: list[str]) -> np.ndarray:
    """(H, W) uint16 of modes I;16, I;16B and I, black as 0."""
    wide = np.asarray(image)
    bits = _bits_per_sample(image, b"") if isinstance(image, TiffImageFile) else 16
    if wide.itemsize > 2 and (bits > 16 or wide.min() < 0 or wide.max() > 65535):
        raise Refused("wide-integers", bits, where=where)
    pixels: np.ndarray = wide.astype(np.uint16)
    if bits == 12:
        notes.append(SPREAD)
        pixels = pixels << 4 | pixels >> 8
    if _note_white_is_zero(image, notes):
        pixels = ~pixels  # Pillow turns 8-bit pictures round and leaves 16-bit ones
    return pixels


def _note_white_is_zero(image: ImageFile, notes: list[str]) -> bool:
    if isinstance(image, TiffImageFile) and image.tag_v2.get(PHOTOMETRIC) == 0:  # WhiteIsZero, TIFF 6.0 page 37
        notes.append(WHITE_IS_ZERO)
        return True
    return False


def _without_alpha(samples: np.ndarray, where: object, notes: list[str]) -> np.ndarray:
    if samples.ndim == 2 or samples.shape[2] == 3:
        return samples
    if samples[..., -1].min() < 255:
        raise Refused("transparent", where=where)
    notes.append(ALPHA_DROPPED)
    return samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]


def _grey_of_equal(rgb: np.ndarray, notes: list[str]) -> np.ndarray:
    """(H, W, 3) as it is, or (H, W) where the three are the same."""
    if np.array_equal(rgb[..., 0], rgb[..., 1]) and np.array_equal(rgb[..., 1], rgb[..., 2]):
        notes.append(GREY_AS_COLOUR)
        return rgb[..., 0]
    return rgb


def to_unit(pixels: np.ndarray) -> np.ndarray:
    """(H, W) or (H, W, C) uint8 or uint16 to (1, C, H, W) float32 in [0, 1], C 1 for grey."""
    unit: np.ndarray = np.divide(planes(pixels), np.float32(np.iinfo(pixels.dtype).max), dtype=np.float32, order="C")
    return unit


def from_unit(sr: np.ndarray, bit_depth: int) -> np.ndarray:
    """(1, C, H, W) float in [0, 1] to (H, W), or (H, W, C) where C is not 1, uint8 or uint16, rounded and clipped.

    EdgeSRError on NaN or Inf.
    """
    least, most = sr.min(), sr.max()
    if not (np.isfinite(least) and np.isfinite(most)):  # the least of numbers with NaN is NaN
        raise EdgeSRError("the picture holds NaN or Inf", expected="finite numbers", hint="edge-sr doctor")
    _, channels, height, width = sr.shape
    pixels = np.empty((height, width, channels), np.dtype(f"uint{bit_depth}"))
    for channel in range(channels):
        _round_into(pixels[..., channel], sr[0, channel], clipped=bool(least >= 0 and most <= 1))
    return pixels[..., 0] if channels == 1 else pixels


def _round_into(pixels: np.ndarray, plane: np.ndarray, *, clipped: bool) -> None:
    """(H, W) float to integers, some rows at a time. clipped: whether it lies in [0, 1] already."""
    top, rows = np.float32(np.iinfo(pixels.dtype).max), max(1, STRIP // plane.shape[1])
    strip = np.empty((rows, plane.shape[1]), plane.dtype)
    for start in range(0, len(plane), rows):
        part = plane[start : start + rows]
        levels = np.multiply(part, top, out=strip[: len(part)])
        np.rint(levels, out=levels)
        pixels[start : start + rows] = levels if clipped else np.clip(levels, 0, top, out=levels)
