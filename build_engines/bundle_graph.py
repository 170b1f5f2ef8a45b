"""The composed graph of a bundle, at any number of steps, and what a calibration of it has to know."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
import onnx
from onnx import ModelProto

from build_engines.compose import PORTS, compose
from build_engines.quantize import FLAVOURS, Flavour, grid, placement
from calibration.observers import Grid
from edge_sr.artifacts.bundle import Bundle
from edge_sr.diffusion.samplers import SamplerTable, sampler_table
from edge_sr.diffusion.schedule import make_alphas_cumprod
from edge_sr.errors import UsageError
from edge_sr.image.consistency import ROUNDS


@dataclass(frozen=True)
class BundleGraph:
    """A bundle's chain at a choice of sampler and steps.

    sha256: of what the graph is made of (networks, schedule, sampler, projection), not of its file. That would differ
    between versions of onnx and, in the last bit of folded constants, between processors: a table of ranges that came
    with a bundle would be foreign wherever the graph is composed anew.
    """

    model: ModelProto
    sha256: str
    sampler: str
    steps: int

    @property
    def observed(self) -> tuple[str, ...]:
        """Every tensor that Q/DQ pairs may be written for, in any flavour, first and last convolutions included."""
        places = [placement(self.model, flavour, ends=ends) for flavour in FLAVOURS for ends in (False, True)]
        wanted = {name for place in places for name in place.tensors}
        produced = [port.name for port in self.model.graph.input]
        produced += [name for node in self.model.graph.node for name in node.output]
        return tuple(name for name in produced if name in wanted)


def bundle_graph(bundle: Bundle, *, sampler: str | None = None, steps: int | None = None) -> BundleGraph:
    """sampler, steps: None takes the bundle's default. Raises UsageError where they cannot be one graph."""
    manifest = bundle.manifest
    if manifest.diffusion is None or manifest.sampler is None:
        raise UsageError(f"family {manifest.family} has no sampler", where=bundle.folder, expected="latent_diffusion")
    sampler = sampler or manifest.sampler.name
    steps = manifest.sampler.num_inference_steps if steps is None else steps
    rounds = ROUNDS if manifest.input.degradation == "area" else 0
    model = compose(
        *(onnx.load(bundle.path(role)) for role in PORTS),
        table=_table(bundle, sampler, steps),
        scale=manifest.scale,
        projection_rounds=rounds,
    )
    parts = {
        "networks": {role: manifest.networks[role].sha256 for role in PORTS},
        "diffusion": asdict(manifest.diffusion),
        "sampler": sampler,
        "steps": steps,
        "scale": manifest.scale,
        "projection_rounds": rounds,
    }
    sha256 = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    return BundleGraph(model, sha256, sampler, steps)


def _table(bundle: Bundle, sampler: str, steps: int) -> SamplerTable:
    spec = bundle.manifest.diffusion
    assert spec is not None
    cumprod = make_alphas_cumprod(
        spec.beta_schedule,
        spec.num_train_timesteps,
        rescale_betas_zero_snr=spec.rescale_betas_zero_snr,
        beta_start=spec.beta_start,
        beta_end=spec.beta_end,
    )
    return sampler_table(sampler, cumprod, num_inference_steps=steps, prediction_type=spec.prediction_type)


def activation_grid(flavour: Flavour) -> Grid:
    """How activations are rounded where Q/DQ pairs of this flavour stand."""

    def quantise(values: np.ndarray, low: float, high: float) -> np.ndarray:
        scale, zero_point = grid(low, high, flavour)
        codes = np.clip(np.rint(values / scale) + np.float32(zero_point), flavour.lowest, flavour.highest)
        return np.asarray((codes - np.float32(zero_point)) * scale)

    return Grid(flavour.symmetric, quantise)
