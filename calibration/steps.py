"""Tensors of the unrolled sampler: the same layer has one in every step."""

from __future__ import annotations

import re
from collections.abc import Mapping

_OF_STEP = re.compile(r"([a-z_]+)(\d+)(/.+)")  # as build_engines.compose names them, e.g. denoiser1/relu_3


def layer_of(tensor: str) -> tuple[str, int]:
    """Its name without the step, and the step; 0 for a tensor outside the sampler.

    >>> layer_of("denoiser1/relu_3")
    ('denoiser/relu_3', 1)
    """
    found = _OF_STEP.fullmatch(tensor)
    return (found[1] + found[3], int(found[2])) if found else (tensor, 0)


def by_layer(tensors: Mapping[str, object]) -> dict[str, list[str]]:
    """Layer -> its tensors, in the order of the steps."""
    layers: dict[str, list[str]] = {}
    for name in sorted(tensors, key=lambda name: layer_of(name)[1]):
        layers.setdefault(layer_of(name)[0], []).append(name)
    return {layer: layers[layer] for layer in dict.fromkeys(layer_of(name)[0] for name in tensors)}


def shared_over_steps(ranges: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """One range a layer, that of all its steps: what calibrating without regard to the timestep would give."""
    shared: dict[str, tuple[float, float]] = {}
    for names in by_layer(ranges).values():
        limits = min(ranges[name][0] for name in names), max(ranges[name][1] for name in names)
        shared |= dict.fromkeys(names, limits)
    return {name: shared[name] for name in ranges}
