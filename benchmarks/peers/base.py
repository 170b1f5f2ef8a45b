"""What every peer looks like, and the table of them; without torch, which only some of them need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_sr.errors import EnvironmentFault, UsageError


class Peer(Protocol):
    """One system of others, timed as it is called: an 8-bit grey picture in, one four times as wide and high out.

    name: as on the command line. title, about: for people; about says what was built and how it runs.
    random_weights: nothing was trained, so its time counts and its picture does not.
    parameters, macs: its weights, and the multiply-accumulates of one picture of 64x64; None where it has neither.
    backend: what computes. steps: of its sampler, None where it has none.
    """

    name: str
    title: str
    about: str
    random_weights: bool
    parameters: int | None
    macs: int | None
    backend: str
    steps: int | None

    def open(self) -> None:
        """Build it, so that a call finds everything ready. Any exception says why it cannot take part."""

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        """(h, w) uint8 -> (4 h, 4 w) uint8."""

    def close(self) -> None:
        """Free what ``open`` took."""


@dataclass(frozen=True)
class Surroundings:
    """cache: a folder for networks that are exported once. threads: for every peer alike."""

    cache: Path
    threads: int


PEERS: Mapping[str, str] = {  # name -> "module:function", from Surroundings to Peer; in the order of the report
    "published-ddpm300": "benchmarks.peers.torch_chain:ddpm300",
    "published-ddpm300-channels-last": "benchmarks.peers.torch_chain:ddpm300_channels_last",
    "published-ddpm300-compiled": "benchmarks.peers.torch_chain:ddpm300_compiled",
    "published-ddim25": "benchmarks.peers.torch_chain:ddim25",
    "published-ddim25-compiled": "benchmarks.peers.torch_chain:ddim25_compiled",
    "diffusers-ddpm300": "benchmarks.peers.diffusers_pipeline:ddpm300",
    "diffusers-ddim25": "benchmarks.peers.diffusers_pipeline:ddim25",
    "x4plus": "benchmarks.peers.generators:x4plus",
    "compact": "benchmarks.peers.generators:compact",
    "espcn": "benchmarks.peers.generators:espcn",
    "bicubic": "benchmarks.peers.opencv:bicubic",
}


def make_peer(name: str, surroundings: Surroundings) -> Peer:
    """Not yet open. UsageError for a name that is not in PEERS, EnvironmentFault where a package is missing."""
    if name not in PEERS:
        raise UsageError(f"no such peer: {name}", where="--peer", expected=", ".join(PEERS))
    module, _, function = PEERS[name].partition(":")
    try:
        peer: Peer = getattr(import_module(module), function)(surroundings)
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            f"{name} needs the package {error.name}", hint="make bench, which installs it"
        ) from error
    return peer
