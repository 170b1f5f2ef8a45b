"""Whether pictures may share the calls of a model: only where that changes no bit of any of them."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np

from edge_sr.diffusion.noise import noise_field
from edge_sr.models.base import SRModel
from edge_sr.pipeline.tiles import batch_size

_found: WeakKeyDictionary[SRModel, bool] = WeakKeyDictionary()


def shares_batches(model: SRModel) -> bool:
    """Whether a tile comes out alike, bit for bit, by itself and among others; tried out once a model.

    A backend may add up in another order where a batch holds one picture (ONNX Runtime 1.31 does so in ReduceMean), and
    a difference of 1e-7 turns a grey level here and there. The trial takes as long as eleven pictures.
    """
    if model not in _found:
        _found[model] = model.tile is not None and batch_size(model) > 1 and _alike(model, model.tile)
    return _found[model]


def _alike(model: SRModel, tile: int) -> bool:
    """Of batches of one, two and as many as go in."""
    size = batch_size(model)
    drawn = [noise_field(seed, (model.channels, tile, tile)) for seed in range(size)]
    lr = np.clip(0.5 + 0.25 * np.concatenate(drawn), 0, 1)
    whole = _run(model, lr)
    return all(np.array_equal(_run(model, lr[:count]), whole[:count]) for count in (1, 2))


def _run(model: SRModel, lr: np.ndarray) -> np.ndarray:
    """With all the noise that there is."""
    shape = model.noise_shape(*lr.shape[2:])
    if shape is None:
        return model(lr, noise=None, fidelity=0.0)

    def noise(draw: int) -> np.ndarray:
        return np.concatenate([noise_field(seed, shape, step=draw) for seed in range(len(lr))])

    return model(lr, noise=noise(0), fidelity=0.0, noise_of_step=lambda step: noise(step + 1))
