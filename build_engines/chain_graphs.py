"""The float32 graphs of a chain, which every build starts from, and what a calibration of them has to know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import ModelProto

from build_engines.compose import compose, compose_generator, standalone
from build_engines.quantize import FLAVOURS, Flavour, grid, placement, single_placements
from calibration.observers import Grid
from edge_sr.artifacts.chain import COMPOSED, Chain, DiffusionChain, Networks
from edge_sr.backends.base import Backend
from edge_sr.models import open_model
from edge_sr.models.base import SRModel

Graphs = Mapping[str, ModelProto]
"""role -> graph; the tensors of one carry names that no other has, but for its inputs and outputs."""


def float_graphs(chain: Chain) -> dict[str, ModelProto]:
    """The whole chain as one graph where it can be one, else a graph a network."""
    networks = {role: onnx.load(chain.bundle.path(role)) for role in chain.networks}
    if not chain.composed:
        return {role: standalone(network, role) for role, network in networks.items()}
    return {COMPOSED[0]: composed_graph(chain, networks)}


def composed_graph(chain: Chain, networks: Graphs) -> ModelProto:
    """networks: in the order of ``chain.networks``."""
    scale, rounds = chain.bundle.manifest.scale, chain.projection_rounds
    if isinstance(chain, DiffusionChain):
        return compose(*networks.values(), table=chain.table, scale=scale, projection_rounds=rounds)
    return compose_generator(*networks.values(), scale=scale, projection_rounds=rounds)


def observed_tensors(model: ModelProto) -> tuple[str, ...]:
    """Every tensor that Q/DQ pairs may be written for, in any flavour, whichever convolutions are kept high."""
    wanted: set[str] = set()
    for flavour in FLAVOURS:
        # What one by itself needs and all together, any choice of them does.
        together = (placement(model, flavour, ends=True), placement(model, flavour))
        places = (*together, *single_placements(model, flavour))
        wanted |= {name for place in places for name in place.tensors}
    produced = [port.name for port in model.graph.input]
    produced += [name for node in model.graph.node for name in node.output]
    return tuple(name for name in produced if name in wanted)


@contextmanager
def running(chain: Chain, graphs: Graphs, backend: Backend, *, precision: str = "fp32") -> Iterator[SRModel]:
    """The model that these graphs are, opened by the backend from files that are gone before it runs.

    So a build that is killed while it works leaves nothing in the folder for temporary files.
    """
    with TemporaryDirectory(prefix="edge-sr-") as folder:
        files = {role: Path(folder) / f"{role}.onnx" for role in graphs}
        for role, graph in graphs.items():
            onnx.save(graph, files[role])
        networks = Networks(files, precision)
        model = open_model(chain.bundle, backend, sampler=chain.sampler, steps=chain.steps, networks=networks)
        model.open()
    with model:
        yield model


def activation_grid(flavour: Flavour) -> Grid:
    """How activations are rounded where Q/DQ pairs of this flavour stand."""

    def quantise(values: np.ndarray, low: float, high: float) -> np.ndarray:
        scale, zero_point = grid(low, high, flavour)
        codes = np.clip(np.rint(values / scale) + np.float32(zero_point), flavour.lowest, flavour.highest)
        return np.asarray((codes - np.float32(zero_point)) * scale)

    return Grid(flavour.symmetric, quantise)
