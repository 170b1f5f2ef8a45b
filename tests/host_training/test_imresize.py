"""MATLAB's bicubic: what it must keep, and the figures that are published for it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from edge_sr.image.quality import psnr
from host_training.data.imresize import imresize, weights
from host_training.data.natural import luma, natural_picture, pair_of, pictures_below, without_border

DATA = Path(os.environ.get("EDGE_SR_DATA", "")) / "natural"
needs_pictures = pytest.mark.skipif(
    not (os.environ.get("EDGE_SR_DATA") and DATA.is_dir()), reason="EDGE_SR_DATA names no folder with Set5 and Set14"
)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(("before", "after"), [(64, 16), (16, 64), (60, 45), (7, 3), (4, 1), (1, 4)])
def test_weights_sum_to_one_and_are_the_same_from_both_sides(before: int, after: int) -> None:
    matrix = weights(before, after)
    assert matrix.shape == (after, before)
    np.testing.assert_allclose(matrix.sum(1), 1)
    np.testing.assert_allclose(matrix[::-1, ::-1], matrix, atol=1e-12)


def test_a_quarter_is_filtered_over_sixteen_samples() -> None:
    """MATLAB: imresize of an impulse by 1/4; h(x) = 0.25 k(0.25 x), here at the eight distances there are."""
    row = weights(64, 16)[8]
    distances = (np.arange(64) - 33.5) / 4
    x = np.abs(distances)
    kernel = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    np.testing.assert_allclose(row, kernel / kernel.sum(), atol=1e-12)
    assert np.count_nonzero(row) == 16


@pytest.mark.parametrize("size", [(16, 24), (10, 10), (128, 64)])
def test_torch_agrees_away_from_the_border(size: tuple[int, int]) -> None:
    """Its antialiased bicubic has the same kernel, but renormalises at the edges where MATLAB mirrors."""
    picture = noise(64, 48)
    theirs = torch.nn.functional.interpolate(
        torch.from_numpy(picture)[None, None].double(), size, mode="bicubic", antialias=True
    )[0, 0].numpy()
    inside = tuple(slice(max(2, 2 * n // m + 2), -max(2, 2 * n // m + 2)) for n, m in zip(size, (64, 48), strict=True))
    ours = imresize(picture, *size).astype(float)
    assert np.abs(ours - np.clip(theirs, 0, 255))[inside].max() <= 0.51


def test_a_picture_at_its_own_size_is_itself() -> None:
    picture = noise(9, 14, 3)
    np.testing.assert_array_equal(imresize(picture, 9, 14), picture)


def test_colours_do_not_mix() -> None:
    picture = noise(32, 24, 3)
    together = imresize(picture, 8, 6)
    for channel in range(3):
        np.testing.assert_array_equal(together[..., channel], imresize(picture[..., channel], 8, 6))


def bicubic_psnr(picture: np.ndarray) -> float:
    """The published protocol: PSNR of luma without a border of four."""
    hr, lr = pair_of(picture)
    sr = imresize(lr, *hr.shape[:2])
    return psnr(without_border(luma(hr)), without_border(luma(sr)))


@needs_pictures
@pytest.mark.parametrize(("name", "count", "published"), [("Set5", 5, 28.42), ("Set14", 14, 26.00)])
def test_bicubic_has_its_published_psnr(name: str, count: int, published: float) -> None:
    """Luma first, as those who published the figures; and in colour, where rounding costs up to 0.01 dB."""
    pictures = [natural_picture(path) for path in pictures_below(DATA / name)]
    assert len(pictures) == count
    assert np.mean([bicubic_psnr(luma(picture)) for picture in pictures]) == pytest.approx(published, abs=0.005)
    assert np.mean([bicubic_psnr(picture) for picture in pictures]) == pytest.approx(published, abs=0.01)
