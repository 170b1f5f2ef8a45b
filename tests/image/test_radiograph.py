from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_sr.errors import EdgeSRError, InputError, UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import encode_png
from edge_sr.image.radiograph import from_unit, radiograph_of, read_radiograph, to_unit
from edge_sr.image.refusals import Refused

GREY8 = chest_phantom(64)
GREY16 = chest_phantom(64, bit_depth=16)
RAMP = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) * 16
COLOUR = np.stack([GREY8, GREY8[::-1], GREY8.T], axis=-1)


def _saved(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.jpg"])
def test_8_bit_grey_is_read_as_it_is(tmp_path: Path, name: str) -> None:
    path = _saved(tmp_path / name, GREY8, quality=100)
    radiograph = read_radiograph(path)
    assert np.abs(radiograph.pixels.astype(int) - GREY8).max() <= (4 if name == "a.jpg" else 0)
    assert (radiograph.bit_depth, radiograph.note, radiograph.chroma) == (8, "", None)
    assert radiograph.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert radiograph.pixels.flags.c_contiguous


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
@pytest.mark.parametrize("order", ["<u2", ">u2"])
def test_16_bit_grey_keeps_its_depth(tmp_path: Path, name: str, order: str) -> None:
    radiograph = read_radiograph(_saved(tmp_path / name, GREY16.astype(order)))
    np.testing.assert_array_equal(radiograph.pixels, GREY16)
    assert (radiograph.pixels.dtype, radiograph.bit_depth) == (np.dtype("=u2"), 16)


def test_the_name_does_not_matter(tmp_path: Path) -> None:
    (tmp_path / "scan.dat").write_bytes(encode_png(GREY8, text={}))
    np.testing.assert_array_equal(read_radiograph(tmp_path / "scan.dat").pixels, GREY8)


# --- TIFF, written by hand where no library writes it -----------------------------------------------------------------


def _tiff(
    samples: np.ndarray, *, photometric: int, bits: int, sample_format: int = 1, body: bytes | None = None
) -> bytes:
    """A little-endian one-strip TIFF 6.0 file of a (64, 64) picture."""
    body = samples.astype(samples.dtype.newbyteorder("<")).tobytes() if body is None else body
    fields = {
        256: 64,
        257: 64,
        258: bits,
        259: 1,
        262: photometric,
        273: 8,
        277: 1,
        278: 64,
        279: len(body),
        339: sample_format,
    }
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields.items())
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(fields)) + entries + bytes(4)


@pytest.mark.parametrize("pixels", [GREY8, GREY16])
def test_a_tiff_in_which_white_is_zero_is_turned_round(tmp_path: Path, pixels: np.ndarray) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff(~pixels, photometric=0, bits=8 * pixels.itemsize))
    radiograph = read_radiograph(tmp_path / "a.tif")
    np.testing.assert_array_equal(radiograph.pixels, pixels)
    assert radiograph.note == "white is zero in the file"


def test_compressed_tiffs_in_which_white_is_zero_are_turned_round(tmp_path: Path) -> None:
    for pixels in (GREY8, GREY16):
        for compression in ("tiff_lzw", "tiff_adobe_deflate"):
            path = _saved(tmp_path / "a.tif", pixels, compression=compression)
            content = path.read_bytes()
            black_is_zero = struct.pack("<HHII", 262, 3, 1, 1)
            assert content.count(black_is_zero) == 1
            path.write_bytes(content.replace(black_is_zero, struct.pack("<HHII", 262, 3, 1, 0)))
            np.testing.assert_array_equal(read_radiograph(path).pixels, ~pixels)


def test_12_bits_are_spread_over_16(tmp_path: Path) -> None:
    twelve = (RAMP >> 4).astype(int).reshape(-1, 2)
    packed = np.stack([twelve[:, 0] >> 4, (twelve[:, 0] & 15) << 4 | twelve[:, 1] >> 8, twelve[:, 1] & 255], axis=1)
    (tmp_path / "a.tif").write_bytes(_tiff(RAMP, photometric=1, bits=12, body=packed.astype(np.uint8).tobytes()))
    pixels = read_radiograph(tmp_path / "a.tif").pixels
    assert (pixels.min(), pixels.max()) == (0, 65535)
    np.testing.assert_array_equal(pixels >> 4, twelve.reshape(64, 64))


def test_32_bit_integers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="32-bit integers"):
        read_radiograph(_saved(tmp_path / "a.tif", GREY16.astype(np.int32)))


def test_signed_16_bit_is_read_unless_negative(tmp_path: Path) -> None:
    signed = (RAMP >> 1).astype(np.int16)
    (tmp_path / "a.tif").write_bytes(_tiff(signed, photometric=1, bits=16, sample_format=2))
    np.testing.assert_array_equal(read_radiograph(tmp_path / "a.tif").pixels, signed)
    (tmp_path / "b.tif").write_bytes(_tiff(signed - 1, photometric=1, bits=16, sample_format=2))
    with pytest.raises(InputError, match="0 to 65535"):
        read_radiograph(tmp_path / "b.tif")


def test_a_float_tiff_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="floating point"):
        read_radiograph(_saved(tmp_path / "a.tif", GREY8 / np.float32(255)))


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
def test_several_pictures_in_one_file_are_refused(tmp_path: Path, name: str) -> None:
    path = _saved(tmp_path / name, GREY8, save_all=True, append_images=[Image.fromarray(GREY8.T)])
    with pytest.raises(InputError, match="several pictures"):
        read_radiograph(path)


# --- Colour and alpha -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA"])
def test_grey_stored_wider_is_grey_with_a_note(tmp_path: Path, mode: str) -> None:
    Image.fromarray(GREY8).convert(mode).save(tmp_path / "a.png")
    radiograph = read_radiograph(tmp_path / "a.png")
    np.testing.assert_array_equal(radiograph.pixels, GREY8)
    assert (
        radiograph.note
        == {
            "RGB": "grey stored as colour",
            "RGBA": "opaque alpha dropped, grey stored as colour",
            "LA": "opaque alpha dropped",
        }[mode]
    )


def test_a_grey_palette_is_grey(tmp_path: Path) -> None:
    indexed = Image.fromarray(255 - GREY8).convert("P")
    indexed.putpalette([level for index in range(256) for level in [255 - index] * 3])
    indexed.save(tmp_path / "a.png")
    radiograph = read_radiograph(tmp_path / "a.png")
    np.testing.assert_array_equal(radiograph.pixels, GREY8)
    assert radiograph.note == "grey stored as colour"


@pytest.mark.parametrize("save", [lambda p, i: i.save(p), lambda p, i: i.quantize(16).save(p)])
def test_colour_is_refused_and_the_option_named(tmp_path: Path, save) -> None:
    save(tmp_path / "a.png", Image.fromarray(COLOUR))
    with pytest.raises(InputError, match="--colour luma"):
        read_radiograph(tmp_path / "a.png")


def test_luma_keeps_the_chroma(tmp_path: Path) -> None:
    radiograph = read_radiograph(_saved(tmp_path / "a.png", COLOUR), colour="luma")
    assert radiograph.chroma is not None and radiograph.note == "luma of a colour picture"
    np.testing.assert_allclose(radiograph.pixels, COLOUR @ [0.299, 0.587, 0.114], atol=0.6)
    back = cv2.cvtColor(np.dstack([radiograph.pixels, radiograph.chroma]), cv2.COLOR_YCrCb2RGB)
    assert np.abs(back.astype(int) - COLOUR).max() <= 3


def test_luma_of_a_grey_picture_has_no_chroma(tmp_path: Path) -> None:
    assert read_radiograph(_saved(tmp_path / "a.png", np.dstack([GREY8] * 3)), colour="luma").chroma is None


def test_an_unknown_colour_treatment_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="refuse or luma"):
        read_radiograph(_saved(tmp_path / "a.png", GREY8), colour="keep")


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_real_transparency_is_refused_with_the_way_out(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(GREY8).convert(mode)
    picture.putalpha(
        Image.fromarray(np.where(np.arange(64) < 63, 255, 254).astype(np.uint8) * np.ones((64, 1), np.uint8))
    )
    picture.save(tmp_path / "a.png")
    with pytest.raises(InputError, match="-alpha remove"):
        read_radiograph(tmp_path / "a.png")


@pytest.mark.parametrize("mode", ["L", "P", "RGB", "1"])
def test_a_transparent_colour_is_refused(tmp_path: Path, mode: str) -> None:
    picture = Image.fromarray(np.uint8(GREY8 > 99) * 255).convert(mode)
    picture.save(tmp_path / "a.png", transparency=(255, 255, 255) if mode == "RGB" else 255)
    with pytest.raises(InputError, match="transparent"):
        read_radiograph(tmp_path / "a.png")


def test_16_bit_colour_is_refused_rather_than_cut_to_8(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([GREY16] * 3))
    cv2.imwrite(str(tmp_path / "a.tif"), np.dstack([GREY16] * 3))
    for name in ("a.png", "a.tif"):
        with pytest.raises(InputError, match="16-bit"):
            read_radiograph(tmp_path / name)


def test_1_bit_becomes_8_bit(tmp_path: Path) -> None:
    radiograph = read_radiograph(_saved(tmp_path / "a.png", GREY8 > 99))
    np.testing.assert_array_equal(radiograph.pixels, np.where(GREY8 > 99, 255, 0))
    assert (radiograph.bit_depth, radiograph.note) == (8, "1-bit picture")


def test_cmyk_is_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "a.jpg")
    with pytest.raises(InputError, match="CMYK"):
        read_radiograph(tmp_path / "a.jpg")


# --- Rotation ---------------------------------------------------------------------------------------------------------

UPRIGHT = {2: np.fliplr, 3: lambda p: p[::-1, ::-1], 4: np.flipud, 5: np.transpose, 6: lambda p: np.rot90(p, -1),
           7: lambda p: p[::-1, ::-1].T, 8: np.rot90}  # fmt: skip


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_exif_rotation_is_applied_and_noted(tmp_path: Path, orientation: int, name: str) -> None:
    stored = GREY8[:40]
    exif = Image.Exif()
    exif[274] = orientation
    radiograph = read_radiograph(_saved(tmp_path / name, stored, exif=exif, quality=100))
    difference = radiograph.pixels.astype(int) - UPRIGHT[orientation](stored)
    assert np.abs(difference).max() <= (4 if name == "a.jpg" else 0)
    assert radiograph.note == "rotated as EXIF says"


# --- Broken and hostile files -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am text\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"GIF89a"]
)
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="a.png"):
        read_radiograph(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
@pytest.mark.parametrize("options", [{}, {"progressive": True, "compression": "tiff_lzw"}])
@pytest.mark.parametrize("kept", [0.03, 0.2, 0.5, 0.9, 0.98])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_truncated_file_is_refused(tmp_path: Path, name: str, options: dict[str, object], kept: float) -> None:
    path = _saved(tmp_path / name, GREY8, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(InputError):
        read_radiograph(path)


@pytest.mark.parametrize("missing", [1, 11, 12, 13, 20])
def test_a_png_without_its_last_bytes_is_refused(tmp_path: Path, missing: int) -> None:
    (tmp_path / "a.png").write_bytes(encode_png(GREY8, text={})[:-missing])
    with pytest.raises(InputError, match="truncated"):
        read_radiograph(tmp_path / "a.png")


def test_a_flipped_bit_in_the_pixels_is_noticed(tmp_path: Path) -> None:
    content = bytearray(encode_png(GREY8, text={}, level=0))  # stored pixels: no other check but the CRC would notice
    content[2000] ^= 1
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(InputError, match="IDAT chunk fails its CRC"):
        read_radiograph(tmp_path / "a.png")


def _png_claiming(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    body = b"".join(struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, b"IDAT"))
    return b"\x89PNG\r\n\x1a\n" + body


def test_a_huge_header_is_refused_before_decoding_and_without_warnings(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_png_claiming(20_000, 20_000))
    with warnings.catch_warnings(), pytest.raises(InputError, match="20000x20000 is too large"):
        warnings.simplefilter("error")
        read_radiograph(tmp_path / "a.png")


@pytest.mark.parametrize("size", [(1, 1), (7, 64), (64, 7), (3, 5000), (5000, 3)])
def test_a_picture_with_a_side_below_8_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="too small"):
        read_radiograph(_saved(tmp_path / "a.png", np.zeros(size, np.uint8)))


def test_8x8_is_read_and_max_pixels_counts_inclusively(tmp_path: Path) -> None:
    path = _saved(tmp_path / "a.png", GREY8[:8, :8])
    assert read_radiograph(path, max_pixels=64).pixels.shape == (8, 8)
    with pytest.raises(InputError, match="at most 63 pixels"):
        read_radiograph(path, max_pixels=63)


def test_a_folder_and_a_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    for path in (tmp_path, tmp_path / "pipe.png", tmp_path / "none.png"):
        with pytest.raises(InputError):
            read_radiograph(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_random_damage_ends_in_pixels_or_an_input_error(tmp_path: Path, name: str) -> None:
    whole, rng = io.BytesIO(), np.random.default_rng(1)
    Image.fromarray(GREY8[:16, :16]).save(whole, {"a.png": "PNG", "a.jpg": "JPEG", "a.tif": "TIFF"}[name])
    for _ in range(200):
        content = np.frombuffer(whole.getvalue(), np.uint8).copy()
        content[rng.integers(3, len(content), 4)] = rng.integers(0, 256, 4)
        (tmp_path / name).write_bytes(content)
        try:
            assert read_radiograph(tmp_path / name, max_pixels=1_000_000).pixels.ndim == 2
        except InputError as refusal:
            assert name in str(refusal)


# --- A file's bytes ---------------------------------------------------------------------------------------------------


def test_bytes_are_read_as_a_file_is(tmp_path: Path) -> None:
    content = encode_png(GREY8, text={})
    (tmp_path / "a.png").write_bytes(content)
    of_file, of_bytes = read_radiograph(tmp_path / "a.png"), radiograph_of(content)
    np.testing.assert_array_equal(of_bytes.pixels, of_file.pixels)
    assert (of_bytes.sha256, radiograph_of(content, sha256="known").sha256) == (of_file.sha256, "known")


def test_a_refusal_of_bytes_names_no_file_and_one_of_a_file_does(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.dstack([GREY16] * 3))
    with pytest.raises(Refused) as of_bytes:
        radiograph_of((tmp_path / "a.png").read_bytes())
    assert of_bytes.value.hint.startswith("magick FILE -alpha off") and of_bytes.value.where == ""
    with pytest.raises(Refused, match=f"magick {tmp_path / 'a.png'}"):
        read_radiograph(tmp_path / "a.png")


@pytest.mark.parametrize("fault", [MemoryError(), OSError("out of memory error when reading image file")])
def test_want_of_memory_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    def load(_: object) -> None:
        raise fault

    path = _saved(tmp_path / "a.png", GREY8)
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", load)
    with pytest.raises(Refused, match="too little memory"):
        read_radiograph(path)
    with pytest.raises(MemoryError):
        radiograph_of(path.read_bytes())


def test_the_name_of_a_chunk_that_is_not_a_pngs_own_is_not_told(tmp_path: Path) -> None:
    content = encode_png(GREY8, text={})
    (tmp_path / "a.png").write_bytes(content[:-12] + b"\0\0\0\0joHn\0\0\0\0" + content[-12:])
    with pytest.raises(InputError, match="one of its chunks fails its CRC") as told:
        read_radiograph(tmp_path / "a.png")
    assert "joHn" not in str(told.value)


# --- Units ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "bit_depth"), [(np.uint8, 8), (np.uint16, 16)])
def test_to_unit_and_back_is_exact_for_every_level(dtype: type, bit_depth: int) -> None:
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype).reshape(16, -1)
    unit = to_unit(levels)
    assert unit.dtype == np.float32 and unit.shape == (1, 1, *levels.shape) and (unit.min(), unit.max()) == (0, 1)
    np.testing.assert_array_equal(from_unit(unit, bit_depth), levels)


def test_from_unit_clips_and_rounds() -> None:
    unit = np.array([[[[-0.5, 1.5, 0.6 / 255, 0.4 / 255]]]], np.float32)
    assert from_unit(unit, 8).tolist() == [[0, 255, 1, 0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_from_unit_refuses_what_is_not_finite(bad: float) -> None:
    with pytest.raises(EdgeSRError, match="NaN or Inf"):
        from_unit(np.full((1, 1, 8, 8), bad, np.float32), 8)
