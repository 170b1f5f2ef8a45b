"""What users really hand in, through the real command: a clear message, its exit code, nothing half-written."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.artifacts.bundle import Bundle
from edge_sr.image.png import write_png
from tests.conftest import RunCli

GREY = np.random.default_rng(0).integers(60, 200, (64, 48), np.uint8)
NOBODY = 65534
ENVIRONMENT = {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
COMMAND = [sys.executable, "-c", "from edge_sr.cli import main; main()"]
# The Python of root may be closed to others, so everything is imported first, what click loads late by a dry run.
STEP_DOWN = f"""
import contextlib, os, sys
import edge_sr.cli.run, edge_sr.models, edge_sr.pipeline.files
with contextlib.suppress(SystemExit), contextlib.redirect_stdout(None):
    edge_sr.cli.group([*sys.argv[1:], "--dry-run"])
os.setgroups([]); os.setgid({NOBODY}); os.setuid({NOBODY})
edge_sr.cli.main()
"""


def huge_header(path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b""))


def truncated(path: Path) -> None:
    Image.fromarray(GREY).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def see_through(path: Path) -> None:
    Image.fromarray(np.dstack([GREY, GREY])).save(path)


def photo(path: Path) -> None:
    Image.fromarray(np.dstack([GREY, GREY.T.reshape(64, 48), 255 - GREY])).save(path)


def palette_photo(path: Path) -> None:
    photo(path)
    Image.open(path).convert("P").save(path)


def see_through_photo(path: Path) -> None:
    photo(path)
    Image.open(path).convert("RGBA").save(path)


BAD = {
    "empty.png": (lambda path: path.write_bytes(b""), "the file is empty"),
    "text.png": (lambda path: path.write_text("hello"), "is not a picture"),
    "truncated.png": (truncated, "truncated"),
    "truncated.jpg": (truncated, "truncated"),
    "transparent.png": (see_through, "transparent"),
    "1x1.png": (lambda path: Image.new("L", (1, 1)).save(path), "1x1 is too small"),
    "3x5000.png": (lambda path: Image.new("L", (3, 5000)).save(path), "3x5000 is too small"),
    "photo.png": (photo, "--colour luma"),
    "rgba.png": (see_through_photo, "--colour luma"),
    "palette.png": (palette_photo, "--colour luma"),
    "huge.png": (huge_header, "20000x20000 is too large"),
    "folder.png": (lambda path: path.mkdir(), "no PNG, TIFF or JPEG in the folder"),
    "missing.png": (lambda path: None, "No such file"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_cannot_be_served(cli: RunCli, tmp_path: Path, name: str) -> None:
    make, message = BAD[name]
    make(tmp_path / name)
    result = cli("run", name, "-o", "out", "--model", "bicubic")
    assert result.exit_code == 1, result.output
    assert result.stderr.startswith(f"error: {name}: ")
    assert message in result.stderr
    assert not Path("out").exists()


def rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # a quarter turn
    Image.fromarray(GREY).save(path, exif=exif)


ODD = {
    "rotated.jpg": (rotated, (192, 256), "rotated as EXIF says"),
    "opaque.png": (lambda path: Image.fromarray(GREY).convert("LA").save(path), (256, 192), "opaque alpha dropped"),
    "grey_rgb.png": (lambda path: Image.fromarray(GREY).convert("RGB").save(path), (256, 192), "grey stored as colour"),
    "16bit.png": (lambda path: write_png(path, GREY.astype(np.uint16) * 250, text={}), (256, 192), ""),
}


@pytest.mark.parametrize("name", ODD)
def test_a_file_that_is_only_odd(cli: RunCli, tmp_path: Path, name: str) -> None:
    make, shape, note = ODD[name]
    make(tmp_path / name)
    result = cli("run", name, "-o", "sr.png", "--model", "bicubic")
    assert result.exit_code == 0, result.output
    assert np.asarray(Image.open("sr.png")).shape == shape
    assert note in result.stdout


@pytest.mark.parametrize("steps", [0, 9999])
def test_steps_out_of_range(cli: RunCli, chest: Path, tiny: Bundle, steps: int) -> None:
    result = cli("run", chest, "--model", tiny.folder, "--steps", steps)
    assert result.exit_code == 2
    assert "--steps" in result.stderr and "1 to 300" in result.stderr
    assert not Path("chest_x4.png").exists()


@pytest.mark.parametrize(
    "words", [["--fidelity", "nan"], ["--fidelity", "2"], ["--seed", "-1"], ["--model", "no"], ["--sampler", "x"]]
)
def test_options_out_of_range(cli: RunCli, chest: Path, words: list[str]) -> None:
    assert cli("run", chest, *words).exit_code == 2
    assert not Path("chest_x4.png").exists()


def test_a_bundle_with_one_byte_flipped(cli: RunCli, chest: Path, fake: Bundle) -> None:
    shutil.copytree(fake.folder, "flipped")
    network = Path("flipped/onnx/encoder.onnx")
    content = bytearray(network.read_bytes())
    content[3] ^= 1
    network.write_bytes(content)
    result = cli("run", chest, "--model", "flipped")
    assert result.exit_code == 5
    assert "encoder.onnx" in result.stderr
    assert not Path("chest_x4.png").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
def test_a_write_that_is_cut_short_leaves_nothing(chest: Path) -> None:
    import resource

    words = ["run", str(chest), "-o", "out", "--model", "bicubic"]
    limited = subprocess.run(
        [*COMMAND, *words],
        cwd=chest.parent,
        env=os.environ | ENVIRONMENT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192)),
        capture_output=True,
        text=True,
    )
    assert limited.returncode == 3, limited.stderr
    assert "no space to write chest_x4.png" in limited.stderr
    assert not list((chest.parent / "out").iterdir())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("cannot mount a tmpfs here")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="needs mount")
def test_a_full_disk(cli: RunCli, chest: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(40_000))
    shutil.copy(chest, "second.png")
    result = cli("run", chest, "second.png", "-o", small_disk, "--model", "bicubic")
    assert result.exit_code == 3, result.output
    assert "no space to write chest_x4.png" in result.stderr and "df -h" in result.stderr
    assert "1 failed, 1 not tried" in result.stdout
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


def test_a_file_where_the_output_folder_should_be(cli: RunCli, chest: Path) -> None:
    Path("taken").write_text("mine")
    result = cli("run", chest, "-o", "taken/out", "--model", "bicubic")
    assert result.exit_code == 3
    assert "cannot make the output folder" in result.stderr
    assert Path("taken").read_text() == "mine"


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can enter too (pytest's own belong to one)."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    yield folder
    for path in folder.rglob("*"):
        path.chmod(0o777)
    shutil.rmtree(folder)


def run_unprivileged(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The command as a user whom permissions stop; root steps down, others are such a user already."""
    command = [sys.executable, "-c", STEP_DOWN] if os.geteuid() == 0 else COMMAND
    return subprocess.run(
        [*command, *map(str, words)], cwd=cwd, env=os.environ | ENVIRONMENT, capture_output=True, text=True
    )


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_an_unreadable_folder_is_named(chest: Path, open_folder: Path) -> None:
    shutil.copy(chest, open_folder / "good.png")
    (open_folder / "locked").mkdir(mode=0o700)
    (open_folder / "locked").chmod(0o000)
    result = run_unprivileged("run", ".", "-o", "out", "--model", "bicubic", cwd=open_folder)
    assert result.returncode == 1, result.stderr
    assert "locked: cannot read the folder (Permission denied)" in result.stderr
    assert (open_folder / "out/good_x4.png").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
def test_an_output_folder_that_cannot_be_written(chest: Path, open_folder: Path) -> None:
    shutil.copy(chest, open_folder / "good.png")
    (open_folder / "out").mkdir()
    (open_folder / "out").chmod(0o555)
    result = run_unprivileged("run", "good.png", "-o", "out", "--model", "bicubic", cwd=open_folder)
    assert result.returncode == 3, result.stderr
    assert "the folder cannot be written" in result.stderr
    assert not list((open_folder / "out").iterdir())
