from __future__ import annotations

import io
import os
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from edge_sr.image.ending import ends_properly
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import encode_png
from tests.image.bombs import BOMBS

GREY8 = chest_phantom(64)
PICTURE = Image.fromarray(GREY8)
EXIF = Image.Exif()
EXIF[274], EXIF[0x010E] = 6, "x" * 99


def saved(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    PICTURE.save(file, kind, **options)
    return file.getvalue()


def ends(content: bytes) -> bool | None:
    descriptor = os.memfd_create("picture")
    try:
        os.pwrite(descriptor, content, 0)
        return ends_properly(descriptor)
    finally:
        os.close(descriptor)


def with_thumbnail(jpeg: bytes) -> bytes:
    thumbnail = saved("JPEG")
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(thumbnail) + 2) + thumbnail + jpeg[2:]


def tiff_of_three_tiles(order: str) -> bytes:
    """Three 16x16 tiles in a row; the directory stands before them, their offsets and lengths outside it."""
    fields = [(256, 3, 1, 48), (257, 3, 1, 16), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (322, 3, 1, 16),
              (323, 3, 1, 16), (324, 4, 3, 122), (325, 4, 3, 134)]  # fmt: skip
    entries = b"".join(
        struct.pack(order + "HHI", tag, kind, count)
        + struct.pack(order + ("HH" if kind == 3 else "I"), value, *[0] * (kind == 3))
        for tag, kind, count, value in fields
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "HIH", 42, 8, len(fields))
    tables = struct.pack(order + "6I", 146, 402, 658, 256, 256, 256)
    return head + entries + bytes(4) + tables + bytes(range(256)) * 3


WHOLE: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: encode_png(GREY8, text={"a": "b"}),
    "PNG of Pillow": lambda: saved("PNG", exif=EXIF),
    "JPEG": lambda: saved("JPEG", exif=EXIF),
    "progressive JPEG": lambda: saved("JPEG", progressive=True),
    "JPEG with restarts": lambda: saved("JPEG", restart_marker_rows=1),
    "JPEG with a thumbnail": lambda: with_thumbnail(saved("JPEG")),
    "TIFF": lambda: saved("TIFF"),
    "LZW": lambda: saved("TIFF", compression="tiff_lzw"),
    "BigTIFF": lambda: saved("TIFF", big_tiff=True),
    "tiles": lambda: tiff_of_three_tiles("<"),
    "tiles, big-endian": lambda: tiff_of_three_tiles(">"),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_a_whole_file_ends_and_no_beginning_of_it_does(kind: str) -> None:
    content = WHOLE[kind]()
    assert ends(content) is True
    assert [length for length in range(len(content)) if ends(content[:length]) is not False] == []


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "progressive JPEG", "LZW"])
def test_a_file_that_was_given_its_size_ahead_does_not_end_before_its_bytes_came(kind: str) -> None:
    content = WHOLE[kind]()
    if kind == "LZW":  # libtiff writes its directory last
        assert struct.unpack_from("<I", content, 4)[0] > len(content) / 2
    for length in range(0, len(content) - (30 if kind == "LZW" else 2), 7):
        if content[length:].strip(b"\0"):
            assert not ends(content[:length] + bytes(len(content) - length)), length


@pytest.mark.parametrize("kind", ["JPEG", "progressive JPEG", "JPEG with restarts"])
@pytest.mark.parametrize("behind", [bytes(1), bytes(9999), b"a trailer of a camera", bytes(9999) + b"x"])
def test_a_jpeg_ends_whatever_stands_behind_its_end(kind: str, behind: bytes) -> None:
    assert ends(WHOLE[kind]() + behind) is True


def test_a_large_jpeg_with_something_behind_it_is_looked_through() -> None:
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (1500, 1500), np.uint8)
    Image.fromarray(noise).save(file, "JPEG", quality=95)
    content = file.getvalue()
    assert len(content) > 1 << 20 and ends(content + b"trailer") is True and ends(content[:-2]) is False


def test_a_png_ends_with_something_behind_it_and_not_with_another_crc() -> None:
    content = WHOLE["PNG"]()
    assert ends(content + b"behind") is True
    assert ends(content[:-1] + b"x") is False


@pytest.mark.parametrize("content", [b"hello world", b"BM" + bytes(99), b"x"])
def test_another_format_is_not_judged(content: bytes) -> None:
    assert ends(content) is None


def test_the_position_in_the_file_neither_matters_nor_moves() -> None:
    descriptor = os.memfd_create("picture")
    os.write(descriptor, WHOLE["PNG"]())
    assert ends_properly(descriptor) is True and os.lseek(descriptor, 0, os.SEEK_CUR) == len(WHOLE["PNG"]())
    os.close(descriptor)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_gets_an_answer(name: str) -> None:
    assert ends(BOMBS[name]) in (True, False, None)


@pytest.mark.parametrize("kind", WHOLE)
def test_random_damage_gets_an_answer(kind: str) -> None:
    rng, whole = np.random.default_rng(1), WHOLE[kind]()
    for _ in range(300):
        content = np.frombuffer(whole, np.uint8).copy()
        places = rng.integers(0, min(len(content), 300), 4)
        content[places] = rng.integers(0, 256, 4)
        assert ends(content.tobytes()) in (True, False, None)
