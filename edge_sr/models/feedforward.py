"""The feed-forward families: one network, run once, and nothing drawn."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import Networks, chain_of
from edge_sr.backends.base import Backend
from edge_sr.diffusion.samplers import NoiseOfStep
from edge_sr.models.base import written_into
from edge_sr.models.bundle_model import BundleModel


class FeedForward(BundleModel):
    """The generator of a bundle (ESPCN, RRDB and their like), run by one backend; an engine has the projection in it.

    sampler, steps: as of ``chain_of``, for there are none to choose.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        *,
        sampler: str | None = None,
        steps: int | None = None,
        networks: Networks | None = None,
    ) -> None:
        super().__init__(chain_of(bundle, sampler=sampler, steps=steps), backend, networks)

    @property
    def provenance(self) -> Mapping[str, object]:
        return {**super().provenance, "sampler": None, "steps": None}

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int] | None:
        """None: it draws none."""
        return None

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """(N, C, tile, tile) float32 in [0, 1] -> (N, C, tile * scale, tile * scale); noise changes nothing."""
        self.times = {}
        if self.networks.composed:
            return self.run("upscale", {"lr": lr}, "sr", out=out)
        start_s = time.perf_counter()
        sr = written_into(out, self.projected(self.run("generator", {"lr": lr}, "sr"), lr))
        self.count_rest(start_s)
        return sr
