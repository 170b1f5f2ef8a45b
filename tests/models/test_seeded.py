"""A batch with one seed a picture."""

from __future__ import annotations

import numpy as np

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.diffusion.noise import noise_field
from edge_sr.models.bicubic import Bicubic
from edge_sr.models.latent_diffusion import LatentDiffusion
from edge_sr.models.seeded import seeded

LR = np.random.default_rng(0).random((3, 1, 64, 64), np.float32)


def test_a_picture_depends_on_its_own_seed_alone(tiny: Bundle) -> None:
    with LatentDiffusion(tiny, OnnxRuntime(threads=1), sampler="ddpm", steps=3) as model:
        together = seeded(model, LR, [5, 6, 7], 0.0)
        alone = seeded(model, LR[1:2], [6], 0.0)
    np.testing.assert_allclose(together[1:2], alone, atol=1e-6)
    assert np.abs(together[1:2] - LR[1:2].repeat(4, 2).repeat(4, 3)).max() > 0


def test_the_noise_is_that_of_the_pipeline(tiny: Bundle) -> None:
    with LatentDiffusion(tiny, OnnxRuntime(threads=1)) as model:
        expected = model(LR[:1], noise=noise_field(9, (4, 32, 32)), fidelity=0.5)
        assert np.array_equal(seeded(model, LR[:1], [9], 0.5), expected)


def test_a_model_without_noise_needs_no_seed() -> None:
    assert seeded(Bicubic(), LR, [], 0.0).shape == (3, 1, 256, 256)
