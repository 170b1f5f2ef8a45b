"""Small pictures of every kind that the service takes, made from a seed: the same seed gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Sequence

import numpy as np
from PIL import Image

SHAPES = ((64, 64), (64, 64), (64, 64), (48, 40), (96, 80))  # most are one tile, one in five is several


def grey(seed: int, height: int = 64, width: int = 64, *, bits: int = 8) -> np.ndarray:
    """(H, W) uint8 or uint16: soft shapes and some noise, so that no two seeds and no two places are alike."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = sum(
        np.sin(2 * np.pi * (draw.uniform(-3, 3) * x + draw.uniform(-3, 3) * y + draw.random())) for _ in range(4)
    )
    unit = np.clip(0.5 + 0.1 * waves + draw.normal(0, 0.02, (height, width)), 0, 1)
    return np.round(unit * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)


def encoded(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, kind, **options)
    return content.getvalue()


def png(seed: int, height: int = 64, width: int = 64, *, bits: int = 8) -> bytes:
    return encoded(grey(seed, height, width, bits=bits))


def mixed(seed: int) -> tuple[str, bytes]:
    """(suffix, content): PNG of 8 and 16 bits, TIFF plain and packed, JPEG, of several sizes."""
    height, width = SHAPES[seed % len(SHAPES)]
    kind = seed % 8
    if kind < 4:
        return ".png", png(seed, height, width, bits=16 if kind == 3 else 8)
    if kind < 6:
        pixels = grey(seed, height, width, bits=16 if kind == 5 else 8)
        return ".tif", encoded(pixels, "TIFF", compression="raw" if kind == 4 else "tiff_adobe_deflate")
    return ".jpg", encoded(grey(seed, height, width), "JPEG", quality=90, progressive=kind == 7)


def several(count: int, seed: int = 0) -> list[tuple[str, bytes]]:
    return [mixed(seed + each) for each in range(count)]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def is_whole_png(content: bytes) -> bool:
    """Ends as a PNG ends; the hash against the sidecar says the rest."""
    return content.startswith(b"\x89PNG\r\n\x1a\n") and content.endswith(b"\0\0\0\0IEND\xaeB`\x82")


def size_of(content: bytes) -> tuple[int, int]:
    """(width, height) by the header; nothing is decoded, so that no size is a bomb."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(content)) as image:
                return image.size
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def texts_of(content: bytes) -> list[object]:
    """What a picture says beside its pixels, unpacked."""
    with Image.open(io.BytesIO(content)) as image:
        image.load()
        return [image.info, dict(image.getexif())]


def chosen(contents: Sequence[tuple[str, bytes]], number: int) -> tuple[str, bytes]:
    """The content for the n-th file where many files share few contents."""
    return contents[number % len(contents)]
