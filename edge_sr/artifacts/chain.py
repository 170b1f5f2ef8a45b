"""What a bundle computes, at one choice of sampler and steps where it has a sampler: what is calibrated, built and run
under one name.

It needs no onnx, so a device that only runs engines finds the right one by ``Chain.sha256``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.families import FAMILIES, FEEDFORWARD
from edge_sr.artifacts.manifest import COMPOSED_SAMPLERS, SAMPLERS, DiffusionSpec
from edge_sr.diffusion.samplers import SamplerTable, sampler_table
from edge_sr.diffusion.schedule import make_alphas_cumprod
from edge_sr.errors import UsageError
from edge_sr.image.consistency import ROUNDS

COMPOSED = ("upscale",)
LARGEST_COMPOSED = 64  # steps; beyond, the unrolled graph takes longer to build than a loop of calls costs to run


@dataclass(frozen=True)
class Chain:
    """A bundle whose network runs once. sampler, steps: FEEDFORWARD and 1, unless it is a DiffusionChain."""

    bundle: Bundle
    sampler: str = FEEDFORWARD
    steps: int = 1

    def __str__(self) -> str:
        """Without the bundle: "ddim, 4 steps"."""
        return self.sampler

    @property
    def default(self) -> bool:
        """Whether it is what the bundle runs when nothing else is asked for."""
        return True

    @property
    def draws_noise(self) -> bool:
        """Whether what comes out depends on noise, and so on the fidelity."""
        return False

    @property
    def networks(self) -> tuple[str, ...]:
        """The files of the bundle that it is made of, by role."""
        return FAMILIES[self.bundle.manifest.family].networks

    @property
    def composed(self) -> bool:
        """Whether a build makes one graph of it; else its networks stay apart, and the sampler runs around them."""
        return True

    @property
    def roles(self) -> tuple[str, ...]:
        """The networks of a build."""
        return COMPOSED if self.composed else self.networks

    @property
    def projection_rounds(self) -> int:
        """See ``edge_sr.image.consistency``: where LR is not the area mean, none."""
        return ROUNDS if self.bundle.manifest.input.degradation == "area" else 0

    @cached_property
    def sha256(self) -> str:
        """Of what it is made of (networks, schedule, sampler, projection), not of a file.

        A composed file would differ between versions of onnx and, in the last bit of folded constants, between
        processors: a table of ranges that came with a bundle would be foreign wherever the graph is composed anew.
        """
        return hashlib.sha256(json.dumps(self._parts(), sort_keys=True).encode()).hexdigest()

    def _parts(self) -> dict[str, object]:
        manifest = self.bundle.manifest
        return {
            "networks": {role: manifest.networks[role].sha256 for role in self.networks},
            "sampler": self.sampler,
            "steps": self.steps,
            "scale": manifest.scale,
            "projection_rounds": self.projection_rounds,
        }


@dataclass(frozen=True)
class DiffusionChain(Chain):
    """A latent diffusion bundle with a sampler and a number of steps, both within what it can run."""

    def __str__(self) -> str:
        return f"{self.sampler}, {self.steps} step{'s' if self.steps > 1 else ''}"

    @property
    def diffusion(self) -> DiffusionSpec:
        spec = self.bundle.manifest.diffusion
        assert spec is not None, "chain_of takes no other bundle"
        return spec

    @property
    def default(self) -> bool:
        defaults = self.bundle.manifest.sampler
        return defaults is not None and (self.sampler, self.steps) == (defaults.name, defaults.num_inference_steps)

    @property
    def draws_noise(self) -> bool:
        return True

    @property
    def composed(self) -> bool:
        return self.sampler in COMPOSED_SAMPLERS and self.steps <= LARGEST_COMPOSED

    @cached_property
    def table(self) -> SamplerTable:
        spec = self.diffusion
        cumprod = make_alphas_cumprod(
            spec.beta_schedule,
            spec.num_train_timesteps,
            rescale_betas_zero_snr=spec.rescale_betas_zero_snr,
            beta_start=spec.beta_start,
            beta_end=spec.beta_end,
        )
        return sampler_table(
            self.sampler,
            cumprod,
            num_inference_steps=self.steps,
            prediction_type=spec.prediction_type,
            # As published where every step is run; where steps are skipped that would leave too much noise.
            ddpm_variance="beta" if self.steps == spec.num_train_timesteps else "posterior",
        )

    def _parts(self) -> dict[str, object]:
        return {**super()._parts(), "diffusion": asdict(self.diffusion)}


@dataclass(frozen=True)
class Networks:
    """The files that run a chain: the bundle's own, or engines that a build made.

    files: by role. precision: fp32, fp16 or int8. engine: the build they come from, "" for the bundle's own;
    engine_sha256: of its manifest, which holds those of its files; speedup: against float32, when it was built.
    largest_batch: pictures a call, None for any.
    """

    files: Mapping[str, Path]
    precision: str = "fp32"
    engine: str = ""
    engine_sha256: str = ""
    speedup: float = 1.0
    largest_batch: int | None = None

    @classmethod
    def of_bundle(cls, chain: Chain) -> Networks:
        """The networks one by one, and the composed graph where that is exactly what was asked for."""
        bundle = chain.bundle
        ready = [role for role in COMPOSED if role in bundle.manifest.networks and chain.default and chain.composed]
        return cls({role: bundle.path(role) for role in (*ready, *chain.networks)})

    @property
    def composed(self) -> bool:
        """Whether one graph does it all."""
        return COMPOSED[0] in self.files

    @property
    def roles(self) -> tuple[str, ...]:
        """Those that run."""
        return COMPOSED if self.composed else tuple(self.files)


def chain_of(bundle: Bundle, *, sampler: str | None = None, steps: int | None = None) -> Chain:
    """sampler, steps: None takes the bundle's default. UsageError where the bundle cannot run them."""
    manifest = bundle.manifest
    if manifest.diffusion is not None and manifest.sampler is not None:
        return diffusion_chain(bundle, sampler=sampler, steps=steps)
    if sampler not in (None, FEEDFORWARD) or steps not in (None, 1):
        what = f"family {manifest.family} has neither sampler nor steps"
        raise UsageError(what, where=manifest.name, hint="leave out --sampler and --steps")
    return Chain(bundle)


def diffusion_chain(bundle: Bundle, *, sampler: str | None = None, steps: int | None = None) -> DiffusionChain:
    """The same for a bundle that has to be one of latent diffusion."""
    manifest = bundle.manifest
    if manifest.diffusion is None or manifest.sampler is None:
        raise UsageError(f"family {manifest.family} has no sampler", where=bundle.folder, expected="latent_diffusion")
    defaults, last = manifest.sampler, manifest.diffusion.num_train_timesteps
    sampler = sampler or defaults.name
    steps = defaults.num_inference_steps if steps is None else steps
    if sampler not in SAMPLERS:
        raise UsageError(f"no such sampler: {sampler}", where="--sampler", expected=", ".join(SAMPLERS))
    if not 1 <= steps <= last:
        raise UsageError(f"{steps} steps are out of range", where="--steps", expected=f"1 to {last}")
    return DiffusionChain(bundle, sampler, steps)
