"""Run a chain on the calibration pictures and count every activation that may be quantised.

What is observed is what runs: the model itself, with graphs that also put out their activations. So every step of the
sampler is seen, unrolled in one graph or taken one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from calibration.choose import Observed
from edge_sr.artifacts.chain import Chain
from edge_sr.backends.base import Backend, Session, stream_by_run
from edge_sr.errors import UsageError
from edge_sr.models.base import SRModel
from edge_sr.models.seeded import seeded
from edge_sr.tensors import Tensors

FIDELITIES = (1.0, 0.5, 0.0)  # no noise, half of it, all of it
BATCH = 4  # pictures a call: some 20 MB of observed activations in the default model


def fidelities_of(chain: Chain) -> tuple[float, ...]:
    """Those at which a chain computes different things."""
    return FIDELITIES if chain.draws_noise else FIDELITIES[:1]


@dataclass(frozen=True)
class Batch:
    """What the model is called with, and the half, 0 or 1, that the pictures belong to, see ``choose``."""

    lr: np.ndarray
    noise_seeds: tuple[int, ...]
    fidelity: float
    half: int


@dataclass(frozen=True)
class Batches:
    """Every picture at every fidelity. lr: (n, 1, h, w) float32 in [0, 1]. noise_seeds: one a picture."""

    lr: np.ndarray
    noise_seeds: Sequence[int]
    fidelities: Sequence[float] = FIDELITIES
    size: int = BATCH

    def __len__(self) -> int:
        return len(self.fidelities) * sum(-(-len(half) // self.size) for half in self._halves())

    def __iter__(self) -> Iterator[Batch]:
        for half, numbers in enumerate(self._halves()):
            for start in range(0, len(numbers), self.size):
                chosen = numbers[start : start + self.size]
                seeds = tuple(self.noise_seeds[n] for n in chosen)
                for fidelity in self.fidelities:
                    yield Batch(self.lr[chosen], seeds, fidelity, half)

    def _halves(self) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.arange(len(self.lr))
        return numbers[::2], numbers[1::2]


Open = Callable[[Backend], AbstractContextManager[SRModel]]
"""Opens a model by a backend, from graphs that ``exposed`` has given further outputs."""


def collect(
    open_model: Open, tensors: Collection[str], batches: Iterable[Batch], *, backend: Backend
) -> dict[str, Observed]:
    """The histograms of the named tensors, by name and in that order.

    Raises UsageError where there are no tensors or batches, or where no graph gives one of the tensors; IntegrityError
    naming the tensor that holds NaN or Inf.
    """
    if not tensors:
        raise UsageError("no tensor to observe", expected="a graph with convolutions to quantise")
    observer = Observer(backend, tensors)
    with open_model(observer) as model:
        for batch in batches:
            observer.half = batch.half
            seeded(model, batch.lr, batch.noise_seeds, batch.fidelity)
    for name, seen in observer.observed.items():
        if not seen.halves[0].count:
            raise UsageError("was not observed", where=name, expected="one picture or more, and a graph that gives it")
    return observer.observed


class Observer:
    """A backend whose sessions count what they compute. half: which half the present pictures belong to."""

    def __init__(self, backend: Backend, tensors: Collection[str]) -> None:
        self.name, self.version = backend.name, backend.version
        self.observed = {name: Observed.of(name) for name in tensors}
        self.half = 0
        self._backend = backend

    def open(self, artifact: Path) -> ObservedSession:
        return ObservedSession(self._backend.open(artifact), self)

    def observe(self, values: Tensors) -> None:
        for name in values.keys() & self.observed.keys():
            self.observed[name].halves[self.half].observe(values[name])


class ObservedSession:
    """Another session, with an eye on it."""

    def __init__(self, session: Session, observer: Observer) -> None:
        self.inputs, self.outputs = session.inputs, session.outputs
        self._session, self._observer = session, observer

    @property
    def times(self) -> Mapping[str, float]:
        return self._session.times

    def run(self, feeds: Tensors, *, out: Tensors | None = None) -> Tensors:
        outputs = self._session.run(feeds, out=out)
        self._observer.observe({**feeds, **outputs})
        return outputs

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        return stream_by_run(self, feeds)

    def close(self) -> None:
        self._session.close()

    def __enter__(self) -> ObservedSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def exposed(model: ModelProto, tensors: Collection[str]) -> ModelProto:
    """The graph with the named tensors as further outputs; UsageError where there is no such float32 tensor."""
    more = ModelProto()
    more.CopyFrom(model)
    if not set(tensors) <= _types(more).keys():
        more = onnx.shape_inference.infer_shapes(more)  # copies the weights a few times over
    graph, types = more.graph, _types(more)
    ports = {port.name for port in [*graph.input, *graph.output]}
    for name in tensors:
        if types.get(name) != TensorProto.FLOAT:
            what = "is no float32 tensor" if name in types else "no such tensor"
            raise UsageError(what, where=name, expected="an activation of the graph")
        if name not in ports:
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return more


def _types(model: ModelProto) -> dict[str, int]:
    graph = model.graph
    return {value.name: value.type.tensor_type.elem_type for value in [*graph.value_info, *graph.input, *graph.output]}
