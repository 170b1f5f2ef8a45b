"""The latent diffusion family: one composed graph, or the networks one by one with the sampler around them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import Networks, diffusion_chain
from edge_sr.backends.base import Backend
from edge_sr.diffusion.samplers import NoiseOfStep, sample
from edge_sr.errors import UsageError
from edge_sr.models.bundle_model import BundleModel
from edge_sr.tensors import Tensors


class LatentDiffusion(BundleModel):
    """LR encoder, K denoiser steps and decoder of one bundle, run by one backend.

    With an engine of the whole chain, or the bundle's own sampler and number of steps, the chain is one session. Any
    other choice, and a sampler that draws noise at every step and so has no such graph, runs encoder, denoiser (once
    a step) and decoder apart, and the projection in numpy. Sessions open at first use.
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
        """sampler, steps: None takes the bundle's default. UsageError where the bundle cannot run them.

        networks: what a build made of this chain for this backend; None runs the bundle's own files.
        """
        manifest = bundle.manifest
        if manifest.diffusion is None or manifest.sampler is None or manifest.input.channels != 1:
            raise UsageError("is no one-channel latent diffusion bundle", where=manifest.name)
        self.chain = diffusion_chain(bundle, sampler=sampler, steps=steps)
        super().__init__(self.chain, backend, networks)
        self.seed = manifest.sampler.seed
        self.fidelity = manifest.sampler.fidelity
        self._table = self.chain.table
        self._zeros: dict[tuple[int, ...], np.ndarray] = {}

    @property
    def composed(self) -> bool:
        """True where the whole chain is one session."""
        return self.networks.composed

    @property
    def provenance(self) -> Mapping[str, object]:
        return {**super().provenance, "sampler": self.chain.sampler, "steps": self.chain.steps}

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int]:
        """(C, H, W) of the latents of an LR picture of this size."""
        spec = self.chain.diffusion
        return (spec.latent_channels, n_lr_h // spec.latent_stride, n_lr_w // spec.latent_stride)

    def feeds(self, lr: np.ndarray, noise: np.ndarray | None, fidelity: float) -> Tensors:
        return {"lr": lr, "noise": self._scaled(noise, fidelity, lr)}

    def network_by_network(
        self, lr: np.ndarray, noise: np.ndarray | None, fidelity: float, noise_of_step: NoiseOfStep | None
    ) -> np.ndarray:
        return self.decode(self.latents(lr, noise=noise, fidelity=fidelity, noise_of_step=noise_of_step), lr)

    def latents(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None = None,
        fidelity: float = 1.0,
        noise_of_step: NoiseOfStep | None = None,
    ) -> np.ndarray:
        """What the sampler ends in, network by network: (N, 1, h, w) -> (N, C, H, W) float32."""
        cond = self.run("encoder", {"lr": lr}, "cond")

        def denoise(latents: np.ndarray, timestep: int) -> np.ndarray:
            feeds = {"latents": latents.astype(np.float32), "cond": cond, "timestep": np.array([timestep], np.int64)}
            return self.run("denoiser", feeds, "prediction")

        def step_noise(step: int) -> np.ndarray:
            fresh = None if noise_of_step is None or fidelity == 1 else noise_of_step(step)
            return self._scaled(fresh, fidelity, lr)

        start = self._scaled(noise, fidelity, lr)
        return sample(self._table, denoise, start, noise_of_step=step_noise).astype(np.float32)

    def decode(self, latents: np.ndarray, lr: np.ndarray) -> np.ndarray:
        """(N, C, H, W) and (N, 1, h, w) -> (N, 1, h * scale, w * scale), projected where LR is the area mean."""
        return self.projected(self.run("decoder", {"latents": latents, "lr": lr}, "sr"), lr)

    def _scaled(self, noise: np.ndarray | None, fidelity: float, lr: np.ndarray) -> np.ndarray:
        if noise is not None and fidelity < 1:
            return noise if fidelity == 0 else noise * np.float32(1 - fidelity)
        shape = (len(lr), *self.noise_shape(*lr.shape[2:]))
        if shape not in self._zeros:  # kept: zeroing it anew would cost more than the rest of this call
            self._zeros = {shape: np.zeros(shape, np.float32)}
        return self._zeros[shape]
