"""The model families, in one table: all that differs between them is named here.

docs/add-a-family.md adds one, from its network to its benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FEEDFORWARD = "feedforward"  # stands where others name their sampler: the network runs once and draws no noise


@dataclass(frozen=True)
class Family:
    """networks: the files of a bundle that everything else is made of, in the order in which they run.

    diffuses: a sampler runs around them. model: what runs them, a class after ``edge_sr.models.base.SRModel``; by name,
    as this package knows no models.
    """

    networks: tuple[str, ...]
    diffuses: bool
    model: str


_FEED_FORWARD = Family(("generator",), diffuses=False, model="edge_sr.models.feedforward:FeedForward")

FAMILIES: Mapping[str, Family] = {
    "latent_diffusion": Family(
        ("encoder", "denoiser", "decoder"), diffuses=True, model="edge_sr.models.latent_diffusion:LatentDiffusion"
    ),
    "espcn": _FEED_FORWARD,
    "rrdb": _FEED_FORWARD,
}
