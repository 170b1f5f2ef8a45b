"""The latent diffusion family: one composed graph, or the networks one by one with the sampler around them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import COMPOSED, Networks, chain_of
from edge_sr.backends.base import Backend, Session
from edge_sr.diffusion.samplers import NoiseOfStep, sample
from edge_sr.errors import UsageError
from edge_sr.image.consistency import project


class LatentDiffusion:
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
        self.chain = chain_of(bundle, sampler=sampler, steps=steps)
        self.networks = networks or Networks.of_bundle(self.chain)
        self._backend = backend
        self.scale: int = manifest.scale
        self.tile: int | None = manifest.input.tile
        self.degradation: str = manifest.input.degradation
        self.seed: int = manifest.sampler.seed
        self.fidelity: float = manifest.sampler.fidelity
        self.largest_batch: int | None = self.networks.largest_batch
        self._table = self.chain.table
        self._sessions: dict[str, Session] = {}
        self._zeros: dict[tuple[int, ...], np.ndarray] = {}

    @property
    def composed(self) -> bool:
        """True where the whole chain is one session."""
        return self.networks.roles == COMPOSED

    @property
    def provenance(self) -> Mapping[str, object]:
        bundle = self.chain.bundle
        return {
            "model": f"{bundle.manifest.name} {bundle.manifest.version}",
            "model_sha256": bundle.sha256,
            "backend": f"{self._backend.name} {self._backend.version}",
            "precision": self.networks.precision,
            "engine": self.networks.engine or None,
            "engine_sha256": self.networks.engine_sha256 or None,
            "sampler": self.chain.sampler,
            "steps": self.chain.steps,
        }

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int]:
        """(C, H, W) of the latents of an LR picture of this size."""
        spec = self.chain.diffusion
        return (spec.latent_channels, n_lr_h // spec.latent_stride, n_lr_w // spec.latent_stride)

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
    ) -> np.ndarray:
        """(N, 1, tile, tile) float32 in [0, 1] -> (N, 1, tile * scale, tile * scale); see SRModel."""
        if self.composed:
            return self._session("upscale").run({"lr": lr, "noise": self._scaled(noise, fidelity, lr)})["sr"]
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
        cond = self._session("encoder").run({"lr": lr})["cond"]
        denoiser = self._session("denoiser")

        def denoise(latents: np.ndarray, timestep: int) -> np.ndarray:
            feeds = {"latents": latents.astype(np.float32), "cond": cond, "timestep": np.array([timestep], np.int64)}
            return denoiser.run(feeds)["prediction"]

        def step_noise(step: int) -> np.ndarray:
            fresh = None if noise_of_step is None or fidelity == 1 else noise_of_step(step)
            return self._scaled(fresh, fidelity, lr)

        start = self._scaled(noise, fidelity, lr)
        return sample(self._table, denoise, start, noise_of_step=step_noise).astype(np.float32)

    def decode(self, latents: np.ndarray, lr: np.ndarray) -> np.ndarray:
        """(N, C, H, W) and (N, 1, h, w) -> (N, 1, h * scale, w * scale), projected where LR is the area mean."""
        sr = self._session("decoder").run({"latents": latents, "lr": lr})["sr"]
        return project(sr, lr, scale=self.scale) if self.degradation == "area" else np.clip(sr, 0, 1)

    def _scaled(self, noise: np.ndarray | None, fidelity: float, lr: np.ndarray) -> np.ndarray:
        if noise is not None and fidelity < 1:
            return noise if fidelity == 0 else noise * np.float32(1 - fidelity)
        shape = (len(lr), *self.noise_shape(*lr.shape[2:]))
        if shape not in self._zeros:  # kept: zeroing it anew would cost more than the rest of this call
            self._zeros = {shape: np.zeros(shape, np.float32)}
        return self._zeros[shape]

    def open(self) -> None:
        """Open every session that the chosen sampler and steps run; a call would open them too."""
        for role in self.networks.roles:
            self._session(role)

    def _session(self, role: str) -> Session:
        if role not in self._sessions:
            self._sessions[role] = self._backend.open(self.networks.files[role])
        return self._sessions[role]

    def close(self) -> None:
        """Close every open session."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def __enter__(self) -> LatentDiffusion:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
