"""The feed-forward families: one network, run once, and nothing drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import Networks, chain_of
from edge_sr.backends.base import Backend
from edge_sr.diffusion.samplers import NoiseOfStep
from edge_sr.models.bundle_model import BundleModel
from edge_sr.tensors import Tensors


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

    def feeds(self, lr: np.ndarray, noise: np.ndarray | None, fidelity: float) -> Tensors:
        return {"lr": lr}

    def network_by_network(
        self, lr: np.ndarray, noise: np.ndarray | None, fidelity: float, noise_of_step: NoiseOfStep | None
    ) -> np.ndarray:
        return self.projected(self.run("generator", {"lr": lr}, "sr"), lr)
