"""What the models of all families share: the networks of a bundle, opened by one backend at first use."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from edge_sr.artifacts.chain import Chain, Networks
from edge_sr.backends.base import Backend, Session
from edge_sr.diffusion.samplers import NoiseOfStep
from edge_sr.image.consistency import project
from edge_sr.models.base import written_into
from edge_sr.tensors import Tensors

Self = TypeVar("Self", bound="BundleModel")


class BundleModel:
    """The part of ``SRModel`` that does not depend on the family.

    networks: what a build made of this chain for this backend; None runs the bundle's own files.
    """

    seed = 0
    fidelity = 1.0
    instead_of: tuple[str, ...] = ()

    def __init__(self, chain: Chain, backend: Backend, networks: Networks | None = None) -> None:
        manifest = chain.bundle.manifest
        self.networks = networks or Networks.of_bundle(chain)
        self.scale: int = manifest.scale
        self.channels: int = manifest.input.channels
        self.tile: int | None = manifest.input.tile
        self.degradation: str = manifest.input.degradation
        self.largest_batch: int | None = self.networks.largest_batch
        self._bundle = chain.bundle
        self._backend = backend
        self.times: dict[str, float] = {}
        self._sessions: dict[str, Session] = {}

    @property
    def provenance(self) -> Mapping[str, object]:
        manifest = self._bundle.manifest
        return {
            "model": f"{manifest.name} {manifest.version}",
            "model_sha256": self._bundle.sha256,
            "backend": f"{self._backend.name} {self._backend.version}",
            "precision": self.networks.precision,
            "engine": self.networks.engine or None,
            "engine_sha256": self.networks.engine_sha256 or None,
        }

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        """(N, C, tile, tile) float32 in [0, 1] -> (N, C, tile * scale, tile * scale); see SRModel."""
        self.times = {}
        if self.networks.composed:
            return self.run("upscale", self.feeds(lr, noise, fidelity), "sr", out=out)
        start_s = time.perf_counter()
        sr = written_into(out, self.network_by_network(lr, noise, fidelity, noise_of_step))
        self.count_rest(start_s)
        return sr

    def feeds(self, lr: np.ndarray, noise: np.ndarray | None, fidelity: float) -> Tensors:
        """Of the composed graph."""
        raise NotImplementedError

    def network_by_network(
        self, lr: np.ndarray, noise: np.ndarray | None, fidelity: float, noise_of_step: NoiseOfStep | None
    ) -> np.ndarray:
        """What a call does where there is no composed graph."""
        raise NotImplementedError

    def projected(self, sr: np.ndarray, lr: np.ndarray) -> np.ndarray:
        """What every picture ends in, outside the graph: the projection where LR is the area mean, and the clip."""
        return project(sr, lr, scale=self.scale) if self.degradation == "area" else np.clip(sr, 0, 1)

    def run(self, role: str, feeds: Tensors, output: str, *, out: np.ndarray | None = None) -> np.ndarray:
        """One output of one network, into ``out`` where that is given; its times are added to those of the call."""
        session = self.session(role)
        result = session.run(feeds, out=None if out is None else {output: out})[output]
        for part, ms in session.times.items():
            self.times[part] = self.times.get(part, 0.0) + ms
        return result

    def count_rest(self, start_s: float) -> None:
        """The time since start_s that no network took, as computation: it is numpy's, between them and after them."""
        if self.times:
            rest_ms = (time.perf_counter() - start_s) * 1e3 - sum(self.times.values())
            self.times["compute"] = self.times.get("compute", 0.0) + max(0.0, rest_ms)

    def open(self) -> None:
        """Open every session that runs; a call would open them too."""
        for role in self.networks.roles:
            self.session(role)

    def session(self, role: str) -> Session:
        """Opened at first use."""
        if role not in self._sessions:
            self._sessions[role] = self._backend.open(self.networks.files[role])
        return self._sessions[role]

    def close(self) -> None:
        """Close every open session."""
        while self._sessions:
            self._sessions.popitem()[1].close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
