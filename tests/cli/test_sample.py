from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner
from PIL import Image

from edge_sr.cli import group


def sample(*args: object) -> int:
    return CliRunner().invoke(group, ["sample", *map(str, args)]).exit_code


def test_the_sample_is_the_mean_of_the_picture_it_came_from(tmp_path: Path) -> None:
    assert sample(tmp_path / "lr.png", "--hr", tmp_path / "hr.png") == 0
    lr, hr = (np.asarray(Image.open(tmp_path / name), np.float64) for name in ("lr.png", "hr.png"))
    assert lr.shape == (64, 64)
    assert np.abs(hr.reshape(64, 4, 64, 4).mean(axis=(1, 3)) - lr).max() <= 0.5


def test_sixteen_bits_use_the_range_of_sixteen_bits(tmp_path: Path) -> None:
    assert sample(tmp_path / "lr.png", "--bit-depth", 16, "--size", 20) == 0
    assert np.asarray(Image.open(tmp_path / "lr.png")).max() > 255


def test_seeds_differ(tmp_path: Path) -> None:
    for seed in (0, 1):
        sample(tmp_path / f"{seed}.png", "--seed", seed)
    assert (tmp_path / "0.png").read_bytes() != (tmp_path / "1.png").read_bytes()


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "lr.png"
    target.write_text("mine")
    assert sample(target) == 2
    assert target.read_text() == "mine"
    assert sample(target, "--overwrite") == 0
