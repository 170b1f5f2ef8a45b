"""What networks and bundles cost: parameters, and the multiply-accumulates of one picture of a tile's size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.families import FAMILIES
from edge_sr.bench.roofline.count import macs_of
from edge_sr.bench.roofline.floor import loaded
from edge_sr.bench.roofline.shapes import shapes_of

if TYPE_CHECKING:
    from onnx import ModelProto

    from edge_sr.artifacts.bundle import Bundle

REPEATED = "denoiser"  # the role that runs once a step


@dataclass(frozen=True)
class Cost:
    """parameters: floating-point weights. macs: of one picture; None where the graph leaves a size open."""

    parameters: int
    macs: int | None


def cost_of(model: ModelProto) -> Cost:
    """Of one network, run once."""
    from onnx import TensorProto

    floats = (TensorProto.FLOAT, TensorProto.FLOAT16)
    weights = [prod(tensor.dims) for tensor in model.graph.initializer if tensor.data_type in floats]
    shapes = shapes_of(model)
    try:
        macs = sum(macs_of(node, shapes) for node in model.graph.node)
    except KeyError:
        return Cost(sum(weights), None)
    return Cost(sum(weights), macs)


def whole_cost(costs: Mapping[str, Cost], steps: int) -> Cost:
    """Of one picture through a chain. costs: of each network, run once, by role."""
    macs = {role: cost.macs for role, cost in costs.items()}
    known = [count * (steps if role == REPEATED else 1) for role, count in macs.items() if count is not None]
    whole = sum(known) if len(known) == len(macs) else None
    return Cost(sum(cost.parameters for cost in costs.values()), whole)


def cost_of_bundle(bundle: Bundle, *, sampler: str | None = None, steps: int | None = None) -> Cost:
    """Of one tile; sampler, steps: None for the bundle's own. EnvironmentFault without the package onnx."""
    roles = FAMILIES[bundle.manifest.family].networks
    costs = {role: cost_of(loaded(bundle.path(role))) for role in roles}
    return whole_cost(costs, chain_of(bundle, sampler=sampler, steps=steps).steps)
