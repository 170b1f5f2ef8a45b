"""PSNR, SSIM, HaarPSI and LPIPS against their definitions."""

from __future__ import annotations

import math
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sr.errors import UsageError
from edge_sr.image.quality import haarpsi, lpips, psnr, ssim
from edge_sr.tensors import Tensors


def golden_pair() -> tuple[np.ndarray, np.ndarray]:
    """Two (64, 64) float64 pictures with edges, wraps and flat parts."""
    i, j = np.mgrid[:64, :64]
    a = ((i * i + 3 * j * j + i * j) // 16) % 256
    return a.astype(np.float64), np.clip(a + (7 * i + 13 * j) % 32 - 16, 0, 255).astype(np.float64)


def test_psnr_does_not_wrap_on_uint8() -> None:
    dark, bright = np.full((8, 8), 10, np.uint8), np.full((8, 8), 30, np.uint8)
    expected = 10 * math.log10(255**2 / 20**2)  # uint8 arithmetic would see a square of 400 % 256
    assert psnr(dark, bright) == pytest.approx(expected, abs=1e-12)
    assert psnr(bright, dark) == pytest.approx(expected, abs=1e-12)


def test_psnr_of_equal_pictures_is_infinite() -> None:
    a, _ = golden_pair()
    assert psnr(a, a) == math.inf


def test_psnr_golden_and_data_range() -> None:
    a, b = golden_pair()
    assert psnr(a, b) == pytest.approx(28.983378095030474, abs=1e-9)
    assert psnr(a / 255, b / 255, data_range=1.0) == pytest.approx(28.983378095030474, abs=1e-9)


def test_ssim_golden() -> None:
    a, b = golden_pair()
    assert ssim(a, b) == pytest.approx(0.9158077883688165, abs=1e-9)  # scikit-image 0.26
    assert ssim(a, a) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("shape", [(11, 12), (65, 63), (256, 256)])
def test_ssim_is_that_of_scikit_image(shape: tuple[int, int]) -> None:
    metrics = pytest.importorskip("skimage.metrics")
    rng = np.random.default_rng(0)
    a = rng.integers(0, 256, shape).astype(np.uint8)
    b = np.clip(a + rng.normal(0, 20, shape), 0, 255).astype(np.uint8)
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert ssim(a, b) == pytest.approx(metrics.structural_similarity(a, b, **options), abs=1e-9)


@pytest.mark.parametrize(("c", "alpha", "expected"), [(30.0, 4.2, 0.9708700), (5.0, 4.9, 0.9503894)])
def test_haarpsi_golden(c: float, alpha: float, expected: float) -> None:
    a, b = golden_pair()
    assert haarpsi(a, b, c=c, alpha=alpha) == pytest.approx(expected, abs=1e-6)
    assert haarpsi(b, a, c=c, alpha=alpha) == pytest.approx(expected, abs=1e-6)


def test_haarpsi_defaults_are_the_medical_constants() -> None:
    a, b = golden_pair()
    assert haarpsi(a, b) == haarpsi(a, b, c=5.0, alpha=4.9)


def test_haarpsi_takes_odd_sides() -> None:
    a, b = golden_pair()
    value = haarpsi(a[:61, :63], b[:61, :63])
    assert value == pytest.approx(0.9483411500148741, abs=1e-9)  # the definition by scipy's convolve2d, turned by 180


@pytest.mark.parametrize("grey", [0, 9])
def test_haarpsi_of_equal_flat_pictures_is_one(grey: int) -> None:
    flat = np.full((16, 16), grey, np.uint8)
    assert haarpsi(flat, flat) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("measure", [psnr, ssim, haarpsi])
def test_shapes_must_agree(measure: object) -> None:
    assert callable(measure)
    with pytest.raises(UsageError, match=r"\(16, 16\) and \(16, 17\)"):
        measure(np.zeros((16, 16)), np.zeros((16, 17)))


def test_ssim_refuses_pictures_smaller_than_its_window() -> None:
    with pytest.raises(UsageError, match="at least 11"):
        ssim(np.zeros((10, 64)), np.zeros((10, 64)))


class MeanDifference:
    """A session whose score is the mean of dist - ref, so that the feeds can be checked."""

    def run(self, feeds: Tensors) -> Tensors:
        assert {array.dtype.name for array in feeds.values()} == {"float32"}
        assert feeds["ref"].shape == (1, 3, 12, 16)
        return {"score": np.mean(feeds["dist"] - feeds["ref"], keepdims=True).reshape(1)}


def test_lpips_feeds_normalised_rgb() -> None:
    hr, sr = np.zeros((12, 16), np.uint8), np.full((12, 16), 255, np.uint8)
    one_over_deviation = (1 / 0.229 + 1 / 0.224 + 1 / 0.225) / 3
    assert lpips(MeanDifference(), sr, hr) == pytest.approx(one_over_deviation, rel=1e-6)


@pytest.mark.parametrize(("name", "expected"), [("ex_p0", 0.71105), ("ex_p1", 0.14790)])
def test_lpips_of_the_published_demo_pairs(name: str, expected: float) -> None:
    if "EDGE_SR_DATA" not in os.environ:
        pytest.skip("EDGE_SR_DATA names no folder with the LPIPS network and its demo pictures")
    onnxruntime = pytest.importorskip("onnxruntime")
    folder = Path(os.environ["EDGE_SR_DATA"]) / "lpips"
    network = onnxruntime.InferenceSession(folder / "lpips_squeeze_v0.1.onnx")

    class Session:
        def run(self, feeds: Tensors) -> Tensors:
            return {"score": network.run(["score"], feeds)[0]}

    ref, dist = (np.asarray(cv2.imread(str(folder / f"{stem}.png")))[:, :, ::-1] for stem in ("ex_ref", name))
    assert lpips(Session(), dist, ref) == pytest.approx(expected, abs=1e-5)
