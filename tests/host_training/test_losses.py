"""What training minimises."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import EnvironmentFault
from edge_sr.image import quality
from edge_sr.image.phantom import chest_phantom
from host_training.losses import (
    Lpips,
    adversarial_loss,
    energy_score,
    haarpsi_distance,
    picture_distance,
    window_distance,
)


def pair(count: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.rand((2, count, 1, 64, 64), generator=generator)
    return first, second


def test_the_window_distance_of_a_constant_difference_is_that_constant() -> None:
    a, _ = pair()
    assert window_distance(a, a + 0.25).item() == pytest.approx(0.25, abs=1e-6)
    assert window_distance(a, a).item() == pytest.approx(0, abs=1e-4)


def test_the_window_distance_is_a_norm_within_windows() -> None:
    a, b = pair()
    assert window_distance(a, b) == window_distance(b, a)
    torch.testing.assert_close(window_distance(a, a + 3 * (b - a)), 3 * window_distance(a, b))
    spot = torch.zeros(1, 1, 32, 32)
    spot[..., 0, 0] = 1  # root mean square: 1/2, 1/8 and 1/32 in the windows it lies in, nothing in the others
    expected = (1 / 2 / 256 + 1 / 8 / 16 + 1 / 32) / 3
    assert window_distance(spot, torch.zeros_like(spot)).item() == pytest.approx(expected, abs=2e-5)


def test_the_gradient_at_a_perfect_answer_is_finite() -> None:
    a = pair()[0].requires_grad_()
    picture_distance(a, a.detach(), squared=20.0).backward()
    assert a.grad is not None and bool(a.grad.isfinite().all())


def test_the_squared_error_is_added_with_its_weight() -> None:
    a, b = pair()
    extra = picture_distance(a, b, squared=7.0) - picture_distance(a, b, squared=0.0)
    torch.testing.assert_close(extra, 7 * (a - b).square().mean())


@pytest.mark.parametrize("squared", [0.0, 20.0])
def test_without_spread_the_energy_score_is_the_distance(squared: float) -> None:
    a, b = pair()
    score = energy_score(a, a, b, spread=0.0, distance=partial(picture_distance, squared=squared))
    torch.testing.assert_close(score, picture_distance(a, b, squared=squared))


def test_the_energy_score_is_least_at_the_true_spread() -> None:
    """The truth is white noise: samples of its deviation score best, without the spread term the narrowest do."""
    generator = torch.Generator().manual_seed(0)
    truth, first, second = torch.randn((3, 64, 1, 64, 64), generator=generator) * 0.1
    scales = (0.0, 0.5, 1.0, 1.5)

    def best(spread: float) -> float:
        scores = [
            energy_score(first * s, second * s, truth, spread=spread, distance=window_distance).item() for s in scales
        ]
        return scales[int(np.argmin(scores))]

    assert best(1.0) == 1.0
    assert best(0.0) == 0.0


def test_missing_lpips_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match=r"none\.safetensors: no LPIPS weights here"):
        Lpips(tmp_path / "none.safetensors")


@pytest.fixture(scope="module")
def folder() -> Path:
    if "EDGE_SR_DATA" not in os.environ:
        pytest.skip("EDGE_SR_DATA names no folder with the LPIPS weights")
    return Path(os.environ["EDGE_SR_DATA"]) / "lpips"


def test_lpips_is_the_network_that_evaluation_runs(folder: Path) -> None:
    hr = chest_phantom().astype(np.float32)
    blurred = [cv2.GaussianBlur(hr, (0, 0), sigma) for sigma in (1.0, 3.0)]
    with OnnxRuntime(threads=1).open(folder / "lpips_squeeze_v0.1.onnx") as session:
        expected = [quality.lpips(session, sr, hr) for sr in blurred]
    sr, truth = (torch.from_numpy(np.stack(pictures)[:, None] / 255) for pictures in (blurred, [hr, hr]))
    lpips = Lpips(folder / "lpips_squeeze_v0.1.safetensors")
    assert [lpips(sr[i : i + 1], truth[:1]).item() for i in range(2)] == pytest.approx(expected, abs=1e-5)
    assert lpips(sr, truth).item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_lpips_trains_the_pictures_and_not_itself(folder: Path) -> None:
    lpips = Lpips(folder / "lpips_squeeze_v0.1.safetensors")
    sr, hr = pair(1)
    lpips(sr.requires_grad_(), hr).backward()
    assert sr.grad is not None and bool(sr.grad.abs().sum() > 0)
    assert not any(value.requires_grad for value in lpips.parameters())


def test_lpips_is_for_colour_too(folder: Path) -> None:
    with OnnxRuntime(threads=1).open(folder / "lpips_squeeze_v0.1.onnx") as session:
        generator = torch.Generator().manual_seed(0)
        sr, hr = torch.rand((2, 1, 3, 64, 64), generator=generator)
        pictures = (255 * x[0].permute(1, 2, 0).numpy() for x in (sr, hr))
        expected = quality.lpips(session, *pictures)
    lpips = Lpips(folder / "lpips_squeeze_v0.1.safetensors")
    assert lpips(sr, hr).item() == pytest.approx(expected, abs=1e-5)
    grey = torch.rand((2, 1, 1, 64, 64), generator=generator)
    torch.testing.assert_close(lpips(*grey), lpips(*grey.expand(-1, -1, 3, -1, -1)))


@pytest.mark.parametrize("spread", [0.0, 0.5, 1.0])
def test_the_lpips_score_is_the_energy_score_with_lpips(folder: Path, spread: float) -> None:
    lpips = Lpips(folder / "lpips_squeeze_v0.1.safetensors")
    (first, second), (truth, _) = pair(1), pair(2)
    truth = truth[1:]
    expected = energy_score(first, second, truth, spread=spread, distance=lpips)
    torch.testing.assert_close(lpips.score(first, second, truth, spread=spread), expected)


def test_the_haarpsi_distance_is_that_of_the_evaluation() -> None:
    hr = chest_phantom()
    blurred = [np.clip(np.rint(cv2.GaussianBlur(hr, (0, 0), sigma)), 0, 255) for sigma in (1.0, 3.0)]
    truth = torch.from_numpy(hr[None, None].astype(np.float32) / 255)
    for sr in blurred:
        distance = haarpsi_distance(torch.from_numpy(sr[None, None].astype(np.float32) / 255), truth)
        assert distance.item() == pytest.approx(1 - quality.haarpsi(sr, hr), abs=0.005)  # the borders differ a little
    assert haarpsi_distance(truth, truth).item() == pytest.approx(0, abs=1e-4)


def test_the_haarpsi_distance_has_a_finite_gradient_everywhere() -> None:
    for sr, hr in (pair(), (torch.zeros(1, 1, 32, 32), torch.zeros(1, 1, 32, 32))):
        sr = sr.clone().requires_grad_()
        haarpsi_distance(sr, hr).backward()
        assert sr.grad is not None and bool(sr.grad.isfinite().all())


def test_the_adversarial_loss_is_the_cross_entropy_of_the_verdict() -> None:
    logits = torch.tensor([[[[2.0, -1.0]]]])
    real = torch.sigmoid(logits)
    torch.testing.assert_close(adversarial_loss(logits, real=True), -real.log().mean())
    torch.testing.assert_close(adversarial_loss(logits, real=False), -(1 - real).log().mean())


def test_the_adversarial_loss_is_finite_however_sure_the_verdict() -> None:
    logits = torch.tensor([[[[200.0, -200.0]]]], dtype=torch.bfloat16)
    for real in (True, False):
        loss = adversarial_loss(logits, real=real)
        assert loss.dtype is torch.float32 and loss.item() == pytest.approx(100.0)


def test_the_haarpsi_distance_is_computed_in_float32_whatever_the_training() -> None:
    sr, hr = pair()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = haarpsi_distance(sr, hr)
    assert torch.equal(inside, haarpsi_distance(sr, hr))
