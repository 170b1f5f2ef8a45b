"""Folders of phantoms, fit and unfit, as a hospital might hand them over."""

from __future__ import annotations

import os
import struct
import zlib
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import SIGNATURE, encode_png, write_png

NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)


@cache
def film(seed: int = 0, *, size: int = 256, bit_depth: int = 8) -> np.ndarray:
    """A phantom; the seeds from 5 on are the first five shifted, which is quicker than another."""
    if seed >= 5:
        return np.roll(film(seed % 5, size=size, bit_depth=bit_depth), seed // 5, axis=1)
    return chest_phantom(size, seed=seed, bit_depth=bit_depth)


def write_films(folder: Path, *names: str, first_seed: int = 0) -> Path:
    """One PNG a name."""
    for seed, name in enumerate(names, first_seed):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_png(folder / name, film(seed), text={})
    return folder


def write_nih(folder: Path, *, patients: int, each: int = 2) -> Path:
    """Films named as NIH names them."""
    names = [f"{patient:08}_{visit:03}.png" for patient in range(1, patients + 1) for visit in range(each)]
    return write_films(folder, *names)


def write_unfit(folder: Path) -> dict[str, str]:
    """Two fit films and every kind of file that is left out: its path -> what its reason begins with."""
    write_films(folder, "fit-a.png", "fit-b.png")
    whole, grey = (folder / "fit-a.png").read_bytes(), film(0)
    sixteen = film(2, bit_depth=16)
    files = {
        "archive/report.txt": (b"normal", "not named as a PNG, TIFF or JPEG"),
        "archive/text.png": (b"normal", "is not a picture that can be read; expected PNG, TIFF or JPEG"),
        "bomb.png": (header(60_000, 60_000), "60000x60000 is too large; expected at most"),
        "cut.jpg": (encoded(".jpg", film(3))[:9000], "the picture is damaged or truncated ("),
        "cut.png": (whole[:-5000], "the PNG is truncated"),
        "dark.png": (encode_png(sixteen >> 4, text={}), "range not declared: 16 bit, but nothing above 4"),
        "empty.tif": (b"", "the file is empty"),
        "fit-a again.png": (whole, "duplicate: the same pixels as fit-a again.png"),
        "flat.png": (encode_png(np.full_like(grey, 7), text={}), "flat: its standard deviation is 0.00 of 255"),
        "flipped.png": (flipped(whole), "the PNG is damaged: its IDAT chunk fails its CRC"),
        "red.png": (encoded(".png", np.dstack([grey, grey, grey // 2])), "is a colour picture; expected grey"),
        "small.png": (encode_png(grey[:200], text={}), "too small: 256x200, less than 256"),
        "tiny.png": (encode_png(grey[:4, :4], text={}), "4x4 is too small"),
        "zz-same as b.tiff": (encoded(".tiff", film(1)), "duplicate: the same pixels as fit-b.png"),
    }
    (folder / "archive").mkdir()
    for name, (content, _) in files.items():
        (folder / name).write_bytes(content)
    reasons = {name: reason for name, (_, reason) in files.items()}
    reasons["fit-a.png"] = reasons.pop("fit-a again.png")  # of the two the first in the order of the names stays
    Image.fromarray(film(4).astype(np.float32)).save(folder / "float.tif")
    Image.fromarray(film(5)).save(folder / "two.tif", save_all=True, append_images=[Image.fromarray(film(6))])
    (folder / "again").symlink_to(folder / "archive", target_is_directory=True)
    os.mkfifo(folder / "pipe.png")
    (folder / os.fsdecode(b"latin-\xe9.png")).write_bytes(whole)
    (folder / ".hidden.png").write_bytes(whole)
    return reasons | {
        "float.tif": "holds floating point pixels",
        "two.tif": "holds several pictures",
        "again": "a link to a folder",
        "pipe.png": "is a pipe, socket or device",
        "latin-\\xe9.png": "its name is not UTF-8",
    }


def header(width: int, height: int) -> bytes:
    """A PNG that announces a size and holds next to nothing."""
    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b"")]
    packed = [
        struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return SIGNATURE + b"".join(packed)


def encoded(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def flipped(content: bytes) -> bytes:
    """One bit in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
