from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_sr.errors import EdgeSRError, InputError, UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import PART, chunks, encode_png, png_parts, read_text, write_png

KINDS = [((33, 47), np.uint8), ((33, 47), np.uint16), ((33, 47, 3), np.uint8), ((1, 1), np.uint16)]


def _random(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize(("shape", "dtype"), KINDS)
@pytest.mark.parametrize("level", [0, 1, 6])
def test_pillow_and_opencv_read_what_was_written(shape: tuple[int, ...], dtype: type, level: int) -> None:
    pixels = _random(shape, dtype)
    content = encode_png(pixels, text={"k": "v"}, level=level)
    by_opencv = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)
    np.testing.assert_array_equal(by_opencv if pixels.ndim == 2 else by_opencv[..., ::-1], pixels)


@pytest.mark.parametrize("view", [lambda p: p[::2, ::-1], lambda p: p.T, lambda p: p.astype(">u2")])
def test_views_and_foreign_byte_orders_are_written_right(view) -> None:
    pixels = view(_random((32, 48), np.uint16))
    content = encode_png(pixels, text={})
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)


def test_text_comes_back_here_and_in_pillow(tmp_path: Path) -> None:
    text = {"edge-sr": '{"seed": 0}', "Author": "Jürgen", "Note": "肺 ≤ 4×", "Empty": ""}
    write_png(tmp_path / "a.png", _random((8, 8), np.uint8), text=text)
    assert read_text(tmp_path / "a.png") == text
    assert dict(Image.open(tmp_path / "a.png").text) == text


def test_text_of_a_file_that_pillow_wrote_is_read(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "a.png")
    assert read_text(tmp_path / "a.png") == {}


def test_the_same_picture_gives_the_same_bytes() -> None:
    pixels = chest_phantom(64)
    assert encode_png(pixels, text={"a": "b"}) == encode_png(pixels.copy(), text={"a": "b"})


def test_level_1_is_no_larger_than_pillows_on_a_radiograph() -> None:
    pixels, other = chest_phantom(256), io.BytesIO()
    Image.fromarray(pixels).save(other, "PNG", compress_level=1)
    assert len(encode_png(pixels, text={})) <= len(other.getvalue())


@pytest.mark.parametrize(
    "pixels", [np.zeros((4, 4), np.float32), np.zeros((4, 4, 4), np.uint8), np.zeros((0, 4), np.uint8)]
)
def test_what_png_cannot_hold_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(EdgeSRError, match="cannot write"):
        encode_png(pixels, text={})


@pytest.mark.parametrize("text", [{"": "v"}, {"k" * 80: "v"}, {"k\0": "v"}, {"k": "v\0w"}])
def test_text_that_would_break_its_chunk_is_refused(text: dict[str, str]) -> None:
    with pytest.raises(EdgeSRError, match="cannot store the text"):
        encode_png(np.zeros((4, 4), np.uint8), text=text)


def test_an_existing_picture_is_not_overwritten(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", np.zeros((4, 4), np.uint8), text={})
    with pytest.raises(UsageError):
        write_png(tmp_path / "a.png", np.ones((4, 4), np.uint8), text={})


def test_text_of_no_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(InputError, match="not a PNG"):
        read_text(tmp_path / "a.png")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_large_picture_comes_in_parts(dtype: type) -> None:
    pixels = _random((3 * PART // 2000 + 1, 1000), dtype)
    parts = list(png_parts(pixels, text={"k": "v"}))
    content = b"".join(parts)
    assert [kind for kind, _ in chunks(content, "")].count(b"IDAT") == len(parts) - 2 > 1
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), pixels)


def test_black_borders_cost_next_to_nothing() -> None:
    pixels = np.zeros((256, 256), np.uint8)
    pixels[100:160, 100:160] = chest_phantom(60)
    inner = len(encode_png(pixels[100:160, 100:160], text={}))
    assert len(encode_png(pixels, text={})) < 1.25 * inner
