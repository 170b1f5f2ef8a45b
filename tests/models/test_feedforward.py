"""The feed-forward families: one network of one bundle, and the projection where its LR is the area mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import UsageError
from edge_sr.image.consistency import area_mean
from edge_sr.models import load_model
from edge_sr.models.feedforward import FeedForward
from tests import tiny_generator

LR = np.random.default_rng(0).uniform(0.2, 0.8, (2, 1, 64, 64)).astype(np.float32)


def test_its_pictures_agree_with_the_input(generator: Bundle) -> None:
    with FeedForward(generator, OnnxRuntime(1)) as model:
        sr = model(LR, noise=None, fidelity=1.0)
    assert sr.shape == (2, 1, 256, 256) and sr.min() >= 0 and sr.max() <= 1
    assert np.abs(area_mean(sr, 4) - LR).max() < 1e-3


def test_without_the_area_mean_it_is_clipped_alone(tmp_path: Path) -> None:
    bundle = tiny_generator.publish(tmp_path / "plain", degradation="cubic")
    with FeedForward(bundle, OnnxRuntime(1)) as model:
        sr = model(LR, noise=None, fidelity=1.0)
        raw = model.session("generator").run({"lr": LR})["sr"]
    assert np.array_equal(sr, raw.clip(0, 1))
    assert np.abs(area_mean(sr, 4) - LR).max() > 1e-3


def test_it_draws_no_noise_and_says_so(generator: Bundle) -> None:
    with load_model(generator.folder) as model:
        assert model.noise_shape(64, 64) is None
        assert (model.provenance["sampler"], model.provenance["steps"]) == (None, None)
        assert model.provenance["model"] == "tiny-generator 0.0.1"


def test_it_has_neither_sampler_nor_steps(generator: Bundle) -> None:
    with pytest.raises(UsageError, match="family rrdb has neither sampler nor steps"):
        load_model(generator.folder, steps=4)


def test_a_closed_model_opens_again(generator: Bundle) -> None:
    model = FeedForward(generator, OnnxRuntime(1))
    first = model(LR, noise=None, fidelity=1.0)
    model.close()
    assert np.array_equal(model(LR, noise=None, fidelity=1.0), first)
    model.close()
