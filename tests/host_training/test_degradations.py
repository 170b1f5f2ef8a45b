"""How LR is made: the exact degradations exactly, the random one by what it must do on average."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_sr.errors import UsageError
from edge_sr.image.phantom import chest_phantom
from host_training.data import blur_kernels, high_order
from host_training.data.degradations import BLUR_SIGMA, BLUR_SIZE, DEGRADATIONS, OF_HR, degrade, hr_for
from host_training.data.protocol import lr_of
from host_training.data.sharpened import sharpened

STORED = chest_phantom(512)
HR = hr_for("area", STORED)
COLOUR = np.stack([HR, HR // 2, 255 - HR], -1)
SEEDS = st.integers(0, 2**32 - 1)
ROUNDS = [high_order.FIRST, high_order.SECOND]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def made(name: str, seed: int = 0) -> np.ndarray:
    return degrade(name, hr=HR, stored=STORED, rng=rng(seed))


def cubic(picture: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(picture, (side, side), interpolation=cv2.INTER_CUBIC)


def test_area_is_the_4x4_mean() -> None:
    np.testing.assert_array_equal(made("area"), lr_of(HR))


def test_cubic_starts_at_the_stored_picture_or_at_hr() -> None:
    np.testing.assert_array_equal(made("cubic"), cubic(STORED, 64))
    np.testing.assert_array_equal(made("cubic-from-hr"), cubic(HR, 64))


@pytest.mark.parametrize("name", list(DEGRADATIONS))
def test_hr_is_made_as_the_degradation_was_published(name: str) -> None:
    area = cv2.resize(STORED, (256, 256), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(hr_for(name, STORED), cubic(STORED, 256) if name.startswith("cubic") else area)


def test_an_unknown_degradation() -> None:
    with pytest.raises(UsageError, match="no such degradation: squares; expected area, cubic"):
        made("squares")
    with pytest.raises(UsageError, match="no such degradation"):
        hr_for("squares", STORED)


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(OF_HR), st.integers(1, 64), SEEDS)
def test_lr_is_a_quarter_and_the_same_for_the_same_seed(name: str, side: int, seed: int) -> None:
    hr = HR[-4 * side :, : 4 * side]
    lr = degrade(name, hr=hr, stored=hr, rng=rng(seed))
    assert lr.shape == (side, side) and lr.dtype == np.uint8
    np.random.seed(0)
    np.testing.assert_array_equal(degrade(name, hr=hr, stored=hr, rng=rng(seed)), lr)


@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("name", OF_HR)
def test_colour_and_other_scales(name: str, scale: int) -> None:
    lr = degrade(name, hr=COLOUR, stored=COLOUR, rng=rng(), scale=scale)
    assert lr.shape == (256 // scale, 256 // scale, 3) and lr.dtype == np.uint8
    np.testing.assert_allclose(lr.mean((0, 1)), COLOUR.mean((0, 1)), atol=6)  # no colour changes places


@pytest.mark.parametrize("name", [name for name in OF_HR if name != "high-order"])
def test_each_colour_is_degraded_as_grey_is(name: str) -> None:
    lr = degrade(name, hr=COLOUR, stored=COLOUR, rng=rng())
    for channel in range(3):
        grey = COLOUR[..., channel].copy()
        np.testing.assert_array_equal(lr[..., channel], degrade(name, hr=grey, stored=grey, rng=rng()))


def test_bicubic_blur_is_a_blurred_cubic() -> None:
    point = np.zeros((256, 256), np.uint8)
    point[128:132, 128:132] = 255
    sharp, blurred = (degrade(name, hr=point, stored=point, rng=rng()) for name in ("cubic-from-hr", "bicubic-blur"))
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.05)
    assert blurred.max() == pytest.approx(
        sharp.max() * cv2.getGaussianKernel(BLUR_SIZE, BLUR_SIGMA).max() ** 2, rel=0.1
    )


def test_noise_in_colour_is_of_each_channel_or_of_all_alike() -> None:
    flat, alike = np.full((64, 64, 3), 0.5, np.float32), []
    for seed in range(300):
        noise = high_order.noisy(flat, high_order.FIRST, rng(seed)) - flat
        alike.append(bool((noise == noise[..., :1]).all()))
    assert np.mean(alike) == pytest.approx(high_order.GREY_NOISE_SHARE, abs=0.09)


def test_the_noise_of_all_channels_alike_counts_the_photons_of_their_luma() -> None:
    steps = np.rint(np.linspace(0, 255, 64)) / 255
    picture = np.stack([steps, steps * 0, steps], -1)[:, None].repeat(64, 1).astype(np.float32)
    luma = (picture @ high_order.LUMA).astype(np.float32)
    for seed in range(40):
        noise = high_order.noisy(picture, high_order.FIRST, rng(seed))[..., 1]
        drawn = rng(seed)
        if drawn.random() < high_order.GREY_NOISE_SHARE and drawn.random() >= high_order.GAUSSIAN_NOISE_SHARE:
            expected = high_order.poisson_noise(luma, drawn.uniform(*high_order.FIRST.poisson_scale), drawn)
            np.testing.assert_allclose(noise, np.clip(expected, 0, 1), atol=1e-6)
            return
    pytest.fail("no such draw")


def test_sharpening_steepens_edges_and_leaves_the_rest() -> None:
    edge = np.full((128, 128), 60, np.uint8)
    edge[:, 64:] = 160
    steep = sharpened(edge)
    assert steep[64, 63] < 60 and steep[64, 64] > 160
    np.testing.assert_array_equal(steep[:, :20], edge[:, :20])  # further than the mask reaches
    faint = np.where(edge == 160, 66, 60).astype(np.uint8)  # below the threshold
    np.testing.assert_array_equal(sharpened(faint), faint)


def test_sharpening_is_the_published_formula() -> None:
    """USMSharp of Real-ESRGAN's code: radius 50, sigma 0, weight 0.5, threshold 10."""
    kernel = cv2.getGaussianKernel(51, 0)
    plain = COLOUR.astype(np.float64) / 255

    def blurred(picture: np.ndarray) -> np.ndarray:
        return cv2.filter2D(picture, -1, kernel @ kernel.T, borderType=cv2.BORDER_REFLECT_101)

    residual = plain - blurred(plain)
    soft = blurred((np.abs(residual) * 255 > 10).astype(np.float64))
    expected = soft * np.clip(plain + 0.5 * residual, 0, 1) + (1 - soft) * plain
    np.testing.assert_allclose(sharpened(COLOUR), expected * 255, atol=0.51)


def test_only_high_order_draws() -> None:
    for name in DEGRADATIONS:
        assert np.array_equal(made(name, 0), made(name, 1)) == (name != "high-order")


def test_high_order_keeps_brightness_and_place() -> None:
    """On average: no drift of the grey values, and nothing moves by a pixel."""
    mean = np.mean([made("high-order", seed) for seed in range(60)], axis=0)
    assert mean.mean() == pytest.approx(HR.mean(), abs=3)
    shifts = {
        (y, x): np.corrcoef(np.roll(mean, (y, x), (0, 1)).ravel(), lr_of(HR).ravel())[0, 1]
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    }
    assert max(shifts, key=lambda shift: shifts[shift]) == (0, 0) and shifts[0, 0] > 0.97


@settings(deadline=None, max_examples=80)
@given(st.sampled_from(ROUNDS), SEEDS)
def test_every_kernel_sums_to_one_and_is_the_same_from_both_sides(stage: high_order.Round, seed: int) -> None:
    kernel = high_order.drawn_kernel(stage.sigma, rng(seed))
    assert kernel.shape[0] == kernel.shape[1] in high_order.KERNEL_SIZES
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel[::-1, ::-1], kernel, atol=1e-12)  # so that it moves nothing


def test_a_tenth_of_the_kernels_are_sinc_filters() -> None:
    """Only those are negative anywhere."""
    generator = rng()
    negative = [high_order.drawn_kernel((0.2, 3.0), generator).min() < 0 for _ in range(3000)]
    assert np.mean(negative) == pytest.approx(0.1, abs=0.022)


def test_all_shapes_of_kernels_occur() -> None:
    assert sum(bell[0] for bell in high_order.BELLS.values()) == pytest.approx(1)
    generator = rng()
    kernels = [high_order.drawn_kernel((1.0, 3.0), generator) for _ in range(2000)]
    round_ones = [np.allclose(kernel, kernel.T, atol=1e-9) for kernel in kernels]
    assert np.mean(round_ones) == pytest.approx(0.1 + 0.9 * 0.69, abs=0.045)
    assert {len(kernel) for kernel in kernels} == set(range(7, 22, 2))


def covariance(kernel: np.ndarray) -> np.ndarray:
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return np.array([[(kernel * a * b).sum() for a in (x, y)] for b in (x, y)])


def test_a_gaussian_has_its_axes_and_its_angle() -> None:
    kernel = blur_kernels.gaussian(41, (4.0, 1.5), angle=0.6)
    lengths, axes = np.linalg.eigh(covariance(kernel))
    np.testing.assert_allclose(np.sqrt(lengths), [1.5, 4.0], rtol=1e-3)
    assert abs(axes[:, 1] @ [np.cos(0.6), np.sin(0.6)]) == pytest.approx(1, abs=1e-6)


def test_beta_points_a_bell_or_flattens_it() -> None:
    pointed, plain, flat = (blur_kernels.gaussian(21, (2.0, 2.0), beta=beta)[10] for beta in (0.5, 1.0, 4.0))
    assert pointed[10] / pointed[11] > plain[10] / plain[11] > flat[10] / flat[11]
    plateau = blur_kernels.plateau(21, (2.0, 2.0), beta=2.0)[10]
    assert plateau[10] / plateau[11] < plain[10] / plain[11]
    assert plateau[0] / plateau[10] > plain[0] / plain[10]  # and its tails are longer


@pytest.mark.parametrize("cutoff", [np.pi / 3, np.pi / 2, 2.5])
def test_a_sinc_passes_what_is_below_its_cutoff(cutoff: float) -> None:
    half = 10
    x = np.arange(-half, half + 1)
    kernel = blur_kernels.sinc(2 * half + 1, cutoff)

    def response(frequency: float, angle: float) -> float:
        wave = np.cos(frequency * (np.cos(angle) * x[None] + np.sin(angle) * x[:, None]))
        return float((kernel * wave).sum())

    for angle in (0.0, 0.4, np.pi / 4):
        assert response(0.6 * cutoff, angle) == pytest.approx(1, abs=0.15)
        assert response(cutoff, angle) == pytest.approx(0.5, abs=0.15)
        if cutoff < 2.2:  # the highest frequency there is is pi
            assert response(1.4 * cutoff, angle) == pytest.approx(0, abs=0.15)


def test_the_sinc_is_that_of_scipys_bessel_function() -> None:
    special = pytest.importorskip("scipy.special", reason="only the test needs scipy")
    y, x = np.mgrid[-10:11, -10:11]
    radius = np.hypot(x, y)
    radius[10, 10] = 1e-9
    expected = 2.0 * special.j1(2.0 * radius) / (2 * np.pi * radius)
    np.testing.assert_allclose(blur_kernels.sinc(21, 2.0), expected / expected.sum(), atol=1e-9)


@pytest.mark.parametrize("sigma", [1.0, 12.0, 30.0])
def test_gaussian_noise_has_the_level_asked_for(sigma: float) -> None:
    noise = high_order.gaussian_noise((200, 200), sigma, rng()) * 255
    assert noise.std() == pytest.approx(sigma, rel=0.02)
    assert abs(noise.mean()) < 0.03 * sigma


@pytest.mark.parametrize(("levels", "photons"), [(256, 256), (200, 256), (128, 128), (2, 2)])
def test_poisson_noise_is_that_of_counting(levels: int, photons: int) -> None:
    """Its variance is mean / photons, in units of white, times the scale squared."""
    greys = np.rint(np.linspace(0, 255, levels))
    picture = np.broadcast_to(greys[:, None] / 255, (levels, 4000)).astype(np.float32)
    noise = high_order.poisson_noise(picture, 0.5, rng())
    assert np.abs(noise[0]).max() == 0  # black counts nothing
    np.testing.assert_allclose(noise[-1].std(), 0.5 / np.sqrt(photons), rtol=0.05)
    assert abs(noise[-1].mean()) < 0.04 / np.sqrt(photons)


@pytest.mark.parametrize("stage", ROUNDS)
def test_noise_stays_in_range(stage: high_order.Round) -> None:
    ends = np.tile(np.float32([0, 1]), (64, 32))
    for seed in range(20):
        noisy = high_order.noisy(ends, stage, rng(seed))
        assert noisy.dtype == np.float32 and noisy.min() >= 0 and noisy.max() <= 1


@pytest.mark.parametrize("stage", ROUNDS)
def test_resizing_is_up_down_or_not_at_all(stage: high_order.Round) -> None:
    generator, picture = rng(), np.zeros((100, 100), np.float32)
    sides = np.array([len(high_order.resized(picture, (1000, 1000), stage, generator)) for _ in range(600)]) / 1000
    shares = [np.mean(sides > 1), np.mean(sides < 1), np.mean(sides == 1)]
    assert shares == pytest.approx(list(stage.resize_shares), abs=0.08)
    assert stage.resize[0] <= sides.min() < stage.resize[0] + 0.05
    assert stage.resize[1] - 0.05 < sides.max() <= stage.resize[1]


def test_jpeg_loses_a_little() -> None:
    picture = HR.astype(np.float32) / 255
    errors = [np.abs(high_order.jpeg(picture, rng(seed)) - picture).mean() * 255 for seed in range(20)]
    assert 0.1 < min(errors) < max(errors) < 6


def test_rounding_is_not_truncation() -> None:
    np.testing.assert_array_equal(high_order.to_grey(np.array([-0.1, 0.6 / 255, 254.6 / 255, 1.2])), [0, 1, 255, 255])
