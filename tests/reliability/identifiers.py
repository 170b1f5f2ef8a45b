"""Pictures with a patient's name wherever a file can hold one. Each name is made up and found nowhere else."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tests.reliability.pictures import grey

MARK = "ZzyxQqvkWqjz"  # what all of them begin with


def identifier(number: int) -> str:
    """Letters alone, so that no number of a log can be one by chance."""
    return MARK + "".join(np.random.default_rng(number).choice(list("BCDFGHJKLMNPQRSTVWXZ"), 10))


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def _in_png_text(name: str, seed: int) -> tuple[str, bytes]:
    info = PngInfo()
    info.add_text("Title", name)
    info.add_text(name, "a keyword", zip=True)
    info.add_itxt("Author", name, lang=name[:8], tkey=name)
    return ".png", _saved(Image.fromarray(grey(seed)), "PNG", pnginfo=info)


def _in_png_exif(name: str, seed: int) -> tuple[str, bytes]:
    exif = Image.Exif()
    exif[0x010E], exif[0x013B], exif[0x9C9B] = name, name, name.encode("utf-16-le")
    return ".png", _saved(Image.fromarray(grey(seed)), "PNG", exif=exif)


def _in_tiff_tags(name: str, seed: int) -> tuple[str, bytes]:
    tags = ImageFileDirectory_v2()
    for tag in (269, 270, 271, 285, 305, 306, 315, 316, 33432, 65000):
        tags[tag] = name
    return ".tif", _saved(Image.fromarray(grey(seed)), "TIFF", tiffinfo=tags)


def _in_jpeg(name: str, seed: int) -> tuple[str, bytes]:
    exif = Image.Exif()
    exif[0x010E] = name
    return ".jpg", _saved(Image.fromarray(grey(seed)), "JPEG", comment=name.encode(), exif=exif)


def _in_unknown_chunk(name: str, seed: int) -> tuple[str, bytes]:
    _, content = _in_png_text(name, seed)
    body = b"paTi" + name.encode()
    return ".png", content[:33] + struct.pack(">I", len(name)) + body + struct.pack(">I", zlib.crc32(body)) + content[
        33:
    ]


def _in_bad_chunk(name: str, seed: int) -> tuple[str, bytes]:
    """Refused, and the decoder's own words would quote the chunk."""
    _, content = _in_png_text(name, seed)
    place = content.index(name.encode()) + len(name)
    return ".png", content[:place] + b"\0\0\0" + content[place:]


def _in_chunk_type(name: str, seed: int) -> tuple[str, bytes]:
    """The name stands where a chunk's four letters are."""
    _, content = _in_png_text(name, seed)
    return ".png", content[:33] + struct.pack(">I", 7) + name.encode() + b"\0" * 8 + content[33:]


def _in_colour(name: str, seed: int) -> tuple[str, bytes]:
    """Refused for its colour."""
    info = PngInfo()
    info.add_text(name, name)
    pixels = np.stack([grey(seed), grey(seed + 1), grey(seed + 2)], axis=-1)
    return ".png", _saved(Image.fromarray(pixels), "PNG", pnginfo=info)


def _in_garbage(name: str, seed: int) -> tuple[str, bytes]:
    return f".{name}", (name + "\n").encode() * 40


def _in_bad_tiff(name: str, seed: int) -> tuple[str, bytes]:
    suffix, content = _in_tiff_tags(name, seed)
    return suffix, content.replace(b"\x03\x01\x03\0\x01\0\0\0\x01\0", b"\x03\x01\x03\0\x01\0\0\0\x63\0")


HIDING_PLACES: tuple[Callable[[str, int], tuple[str, bytes]], ...] = (
    _in_png_text,
    _in_png_exif,
    _in_tiff_tags,
    _in_jpeg,
    _in_unknown_chunk,
    _in_bad_chunk,
    _in_chunk_type,
    _in_colour,
    _in_garbage,
    _in_bad_tiff,
)


def planted(number: int) -> tuple[str, str, bytes]:
    """(identifier, name of the file, content); the name of the file holds it too."""
    name = identifier(number)
    suffix, content = HIDING_PLACES[number % len(HIDING_PLACES)](name, number)
    return name, f"{name} {name[::-1]}^{number}{suffix}", content


def forms_of_mark() -> list[bytes]:
    """How it might be written, in small letters: plain, backwards, wide, in hexadecimal digits and in base 64."""
    plain = MARK.encode()
    middle = [base64.b64encode(b"\0" * shift + plain)[4 : 4 * ((shift + len(plain)) // 3)] for shift in range(3)]
    written = [plain, plain[::-1], MARK.encode("utf-16-le"), plain.hex().encode(), *middle]
    return [each.lower() for each in written]


def shown_in(text: bytes) -> bool:
    """Whether any made-up patient stands there, however written."""
    small = text.lower()
    return any(form in small for form in forms_of_mark())
