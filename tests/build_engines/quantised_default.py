"""The bundle that ships, its ranges on a few phantoms, and models of it with any choice of convolutions kept high."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from onnx import ModelProto

from build_engines.chain_graphs import float_graphs
from build_engines.quantize import Placement, insert_qdq, placement
from build_engines.sensitivity.local_error import local_errors, probed
from build_engines.sensitivity.pairs import sharing
from build_engines.sensitivity.search import Quantised
from calibration.collect import Batches, collect, exposed
from calibration.images import CalibrationImages
from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.backends.onnxrt import OnnxRuntime
from tests.build_engines.sr_models import Composed, opened, pictures

Ranges = Mapping[str, tuple[float, float]]


def activations(model: ModelProto) -> list[str]:
    """Every tensor that a pair may stand behind, whatever is kept high."""
    kinds = {"Conv", "ConvTranspose", "Relu", "Add", "Concat", "MaxPool", "DepthToSpace", "SpaceToDepth"}
    return [node.output[0] for node in model.graph.node if node.op_type in kinds and "/" in node.name]


@dataclass(frozen=True)
class QuantisedDefault:
    """model: composed, in float32. ranges: least and greatest values on eight phantoms."""

    model: ModelProto
    places: Placement
    ranges: Ranges

    @classmethod
    def calibrated(cls, flavour: str) -> QuantisedDefault:
        (model,) = float_graphs(chain_of(Bundle.open(default_bundle()), steps=1)).values()
        tensors, shown = activations(model), pictures(8)
        observed = collect(
            lambda backend: opened(exposed(model, tensors), backend),
            tensors,
            Batches(shown.lr, shown.noise_seeds),
            backend=OnnxRuntime(2, spinning=False),
        )
        ranges = {n: (seen.whole.minimum, seen.whole.maximum) for n, seen in observed.items()}
        return cls(model, placement(model, flavour), ranges)

    @property
    def convolutions(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.places.convolutions)

    def broken(self, tensor: str, factor: float) -> Ranges:
        """The ranges with that of one tensor multiplied."""
        low, high = self.ranges[tensor]
        return {**self.ranges, tensor: (low * factor, high * factor)}

    def sharing(self) -> dict[str, frozenset[str]]:
        return sharing(insert_qdq(self.model, self.ranges, self.places))

    def quantised(self, ranges: Ranges | None = None) -> Quantised:
        @contextmanager
        def model_with(high: frozenset[str]) -> Iterator[Composed]:
            places = placement(self.model, self.places.flavour.name, high=high)
            with opened(insert_qdq(self.model, ranges or self.ranges, places)) as model:
                yield model

        return model_with

    def local_errors(self, shown: CalibrationImages, ranges: Ranges | None = None) -> dict[str, float]:
        graph = probed(self.model, insert_qdq(self.model, ranges or self.ranges, self.places))
        batches = Batches(shown.lr, shown.noise_seeds, (1.0, 0.0))
        return local_errors(lambda backend: opened(graph, backend), batches, backend=OnnxRuntime(2, spinning=False))
