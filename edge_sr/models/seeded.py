"""A model called with seeds instead of noise: a batch of pictures of one tile, each with a noise field of its own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge_sr.diffusion.noise import noise_field
from edge_sr.models.base import SRModel


def seeded(model: SRModel, lr: np.ndarray, seeds: Sequence[int], fidelity: float) -> np.ndarray:
    """(n, 1, h, w) -> (n, 1, h * scale, w * scale), both float32 in [0, 1]. seeds: one a picture."""
    shape = model.noise_shape(*lr.shape[2:])

    def noise(step: int) -> np.ndarray:
        assert shape is not None, "a model that asks for the noise of a step has a noise shape"
        return np.concatenate([noise_field(seed, shape, step=step) for seed in seeds])

    if shape is None or fidelity == 1:
        return model(lr, noise=None, fidelity=fidelity)
    # 0 is the noise that the sampler starts from
    return model(lr, noise=noise(0), fidelity=fidelity, noise_of_step=lambda step: noise(step + 1))
