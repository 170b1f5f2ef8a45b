"""Run a composed graph on the calibration pictures and observe what stands in its tensors.

The sampler's steps are unrolled in the graph, so each step's activations are tensors of their own. Nothing is kept but
one batch and the histograms.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from calibration.choose import Observed
from edge_sr.backends.base import Backend
from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import UsageError
from edge_sr.tensors import Tensors

FIDELITIES = (1.0, 0.5, 0.0)  # no noise, half of it, all of it
BATCH = 4  # pictures a call: some 20 MB of observed activations in the default model


@dataclass(frozen=True)
class Batch:
    """Inputs of the graph, and the half, 0 or 1, that their pictures belong to, see ``choose``."""

    feeds: Tensors
    half: int


@dataclass(frozen=True)
class Batches:
    """Every picture at every fidelity.

    lr: (n, 1, h, w) float32 in [0, 1]. noise_seeds: one a picture. noise_shape: (C, H, W) of the graph's noise.
    """

    lr: np.ndarray
    noise_seeds: Sequence[int]
    noise_shape: tuple[int, int, int]
    fidelities: Sequence[float] = FIDELITIES
    size: int = BATCH

    def __len__(self) -> int:
        return len(self.fidelities) * sum(-(-len(half) // self.size) for half in self._halves())

    def __iter__(self) -> Iterator[Batch]:
        for half, numbers in enumerate(self._halves()):
            for start in range(0, len(numbers), self.size):
                chosen = numbers[start : start + self.size]
                noise = np.concatenate([noise_field(self.noise_seeds[n], self.noise_shape) for n in chosen])
                for fidelity in self.fidelities:
                    feeds = {"lr": self.lr[chosen], "noise": noise * np.float32(1 - fidelity)}
                    yield Batch(feeds, half)

    def _halves(self) -> tuple[np.ndarray, np.ndarray]:
        numbers = np.arange(len(self.lr))
        return numbers[::2], numbers[1::2]


def collect(
    model: ModelProto, tensors: Collection[str], batches: Iterable[Batch], *, backend: Backend
) -> dict[str, Observed]:
    """The histograms of the named tensors, by name and in that order.

    model: a float32 graph with the inputs ``lr`` and ``noise``; it is left alone.
    Raises UsageError for a tensor that is not in the graph or not float32, and where there are no tensors or batches;
    IntegrityError naming the tensor that holds NaN or Inf.
    """
    if not tensors:
        raise UsageError("no tensor to observe", expected="a graph with convolutions to quantise")
    observed = {name: Observed.of(name) for name in tensors}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "observed.onnx"
        onnx.save(exposed(model, tensors), path)
        with backend.open(path) as session:
            for batch in batches:
                values = {**batch.feeds, **session.run(batch.feeds)}
                for name, seen in observed.items():
                    seen.halves[batch.half].observe(values[name])
    if any(not seen.halves[0].count for seen in observed.values()):
        raise UsageError("no picture to calibrate on", expected="one or more")
    return observed


def exposed(model: ModelProto, tensors: Collection[str]) -> ModelProto:
    """The graph with the named tensors as further outputs."""
    inferred = onnx.shape_inference.infer_shapes(model)
    graph = inferred.graph
    types = {value.name: value.type.tensor_type.elem_type for value in [*graph.value_info, *graph.input, *graph.output]}
    ports = {port.name for port in [*graph.input, *graph.output]}
    for name in tensors:
        if types.get(name) != TensorProto.FLOAT:
            what = "is no float32 tensor" if name in types else "no such tensor"
            raise UsageError(what, where=name, expected="an activation of the composed graph")
        if name not in ports:
            graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    return inferred
