"""Where one part of a chain hands over to the next, and what each of its graphs is fed with."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto

from build_engines.onnx_check import shapes
from build_engines.quantize.placement import network_of
from calibration.collect import Batch, ObservedSession, Observer, Open
from edge_sr.backends.base import Backend
from edge_sr.models.seeded import seeded
from edge_sr.tensors import Tensors

FLOATS = (TensorProto.FLOAT, TensorProto.FLOAT16)
FEEDS = 24  # of a graph: enough for a percentile, and few for a denoiser that runs 300 times a picture


def stages(model: ModelProto) -> tuple[str, ...]:
    """The tensors that one network of a composed graph hands to another, to the sampler or to the projection.

    In the order of the graph: the encoder's cond, each step's prediction and latents, the decoder's picture before the
    projection. A graph of one network has none.
    """
    part = {name: _part(node) for node in model.graph.node for name in node.output}
    handed = {
        name
        for node in model.graph.node
        for name in node.input
        if part.get(name, _part(node)) != _part(node) and node.op_type != "Identity"  # which only names an output
    }
    return tuple(name for name in part if name in handed)


def _part(node: NodeProto) -> str:
    """The network and step, such as denoiser1; "" for the sampler and the projection."""
    return network_of(node) if "/" in node.name else ""


def put_out(model: ModelProto, tensors: Collection[str]) -> ModelProto:
    """The graph with the named tensors as further outputs, as far as it has them, in float32 or FP16."""
    known = {name: value for name, value in shapes(model).items() if value.type.tensor_type.elem_type in FLOATS}
    ports = {port.name for port in model.graph.output}
    more = ModelProto()
    more.CopyFrom(model)
    more.graph.output.extend(known[name] for name in tensors if name in known and name not in ports)
    return more


def recorded_feeds(
    open_model: Open, batches: Iterable[Batch], *, backend: Backend, most: int = FEEDS
) -> dict[str, list[Tensors]]:
    """What the graphs of a chain are fed with while it runs: name of the file without its ending -> feeds.

    open_model: opens the model by a backend. most: of each graph, evenly taken from all that there were.
    """
    recorder = _Recorder(backend)
    with open_model(recorder) as model:
        for batch in batches:
            seeded(model, batch.lr, batch.noise_seeds, batch.fidelity)
    return {name: _evenly(watched.feeds, most) for name, watched in recorder.watched.items()}


def _evenly(feeds: list[Tensors], most: int) -> list[Tensors]:
    if len(feeds) <= most:
        return feeds
    return [feeds[int(n)] for n in np.linspace(0, len(feeds) - 1, most).round()]


class _Recorder:
    """A backend that keeps what its sessions are fed with, by the name of their file."""

    def __init__(self, backend: Backend) -> None:
        self.name, self.version = backend.name, backend.version
        self.watched: dict[str, _Feeds] = {}
        self._backend = backend

    def open(self, artifact: Path) -> ObservedSession:
        session = self._backend.open(artifact)
        watched = self.watched.setdefault(artifact.stem, _Feeds(self._backend))
        watched.inputs = [spec.name for spec in session.inputs]
        return ObservedSession(session, watched)


class _Feeds(Observer):
    """Those of one session."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(backend, ())
        self.inputs: list[str] = []
        self.feeds: list[Tensors] = []

    def observe(self, values: Tensors) -> None:
        self.feeds.append({name: values[name] for name in self.inputs})
