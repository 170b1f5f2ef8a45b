"""What every super-resolution model looks like from the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from edge_sr.diffusion.samplers import NoiseOfStep


class SRModel(Protocol):
    """A low resolution picture goes in, one ``scale`` times as wide and high comes out.

    scale: how many times as wide and high, 4 or 2. channels: 1 for grey, 3 for colour.
    tile: the side in LR pixels of the only picture size the model takes, or None where it takes any.
    degradation: how LR came from HR in the model's training ("area": the mean of scale x scale pixels).
        The pipeline projects a blended picture again only where this is "area".
    seed, fidelity: the model's defaults for ``noise`` and ``fidelity``.
    provenance: what identifies the model in the record that every output carries.
    largest_batch: pictures a call, None for any.
    instead_of: models that were asked for before this one and could not be had, each with the reason.
    times: milliseconds of the parts of the last call, over all its sessions; see ``Session.times``.
    """

    instead_of: tuple[str, ...]

    @property
    def scale(self) -> int: ...

    @property
    def channels(self) -> int: ...

    @property
    def tile(self) -> int | None: ...

    @property
    def degradation(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def fidelity(self) -> float: ...

    @property
    def provenance(self) -> Mapping[str, object]: ...

    @property
    def largest_batch(self) -> int | None: ...

    @property
    def times(self) -> Mapping[str, float]: ...

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int] | None:
        """(C, H, W) of the noise for an LR picture of this size; None where the model draws none."""

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """Super-resolve a batch.

        lr: (N, channels, h, w) float32 in [0, 1].
        noise: (N, C, H, W) float32 standard normal, after ``noise_shape``; None stands for zeros.
        fidelity: 0..1; the model scales every noise by ``1 - fidelity``.
        noise_of_step: for samplers that draw fresh noise at each step; None stands for zeros.
        out: C-contiguous, of the result's shape and type: the result is written into it and given back. None: it is
            new, and no later call writes to it.
        Returns (N, channels, h * scale, w * scale) float32 in [0, 1].
        """

    def open(self) -> None:
        """Open the sessions now rather than in the first call, so that its time can be told apart."""

    def close(self) -> None:
        """Free sessions and device memory; calling it twice does nothing."""

    def __enter__(self) -> SRModel: ...

    def __exit__(self, *exc: object) -> None: ...


def written_into(out: np.ndarray | None, sr: np.ndarray) -> np.ndarray:
    """What a model gives back that made its result in an array of its own; see ``out`` of ``SRModel``."""
    if out is None:
        return sr
    np.copyto(out, sr)
    return out
