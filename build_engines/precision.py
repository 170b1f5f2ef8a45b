"""A chain's float32 graphs in another precision, as one runtime takes them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from onnx import ModelProto

from build_engines.cast import to_fp16
from build_engines.chain_graphs import Graphs
from build_engines.onnxrt_kernels import after_quantizing, before_quantizing, with_spread
from build_engines.quantize import FLAVOURS, Placement, Ranges, insert_qdq, placement
from calibration.table import CalibrationTable
from edge_sr.errors import UsageError

PRECISIONS = ("fp32", "fp16", "int8")  # of an engine; a build takes "auto" too, which ends in one of them


def in_fp16(graphs: Graphs) -> dict[str, ModelProto]:
    return {role: to_fp16(model) for role, model in graphs.items()}


@dataclass(frozen=True)
class Quantiser:
    """Writes INT8 graphs from the same float ones, with other convolutions kept high each time.

    plain: float32 graphs, which say where the pairs go: for ONNX Runtime in its own form. base: what they are written
    into: the same, or for TensorRT the FP16 graphs. ends: first and last convolutions are INT8 too, see
    ``build_engines.quantize.placement``.
    """

    flavour: str
    ranges: Ranges = field(repr=False)
    plain: Graphs = field(repr=False)
    base: Graphs = field(repr=False)
    ends: bool = False

    @classmethod
    def of(cls, graphs: Graphs, table: CalibrationTable, flavour: str, *, ends: bool = False) -> Quantiser:
        ranges: Ranges = table.ranges(symmetric=FLAVOURS[flavour].symmetric)
        if flavour == "tensorrt":
            return cls(flavour, ranges, graphs, in_fp16(graphs), ends)
        own = {role: before_quantizing(model) for role, model in graphs.items()}
        for model in own.values():
            ranges = with_spread(ranges, model)
        return cls(flavour, ranges, own, own, ends)

    @property
    def convolutions(self) -> tuple[str, ...]:
        """Those that are INT8 where none is kept high, by the tensor they write, in the order of the graphs."""
        return tuple(each.name for model in self.plain.values() for each in self._places(model).convolutions)

    @property
    def tensors(self) -> tuple[str, ...]:
        """Those whose ranges decide where no convolution is kept high, in the order of the graphs."""
        return tuple(name for model in self.plain.values() for name in self._places(model).tensors)

    def graphs(self, high: Collection[str] = ()) -> dict[str, ModelProto]:
        """high: convolutions of any of the graphs, by the tensor they write. UsageError where there is no such one."""
        paired = self.paired(high)
        if self.flavour == "onnxruntime":
            return {role: after_quantizing(model) for role, model in paired.items()}
        return paired

    def paired(self, high: Collection[str] = ()) -> dict[str, ModelProto]:
        """The same before the runtime's own rewrites: every quantised convolution stands between its pairs."""
        if unknown := sorted(set(high) - set(self.convolutions)):
            raise UsageError(f"no INT8 convolution writes {unknown[0]}", where="--high", expected=self.convolutions[0])
        paired = {}
        for role, model in self.plain.items():
            own = {each.name for each in self._places(model).convolutions}
            paired[role] = insert_qdq(self.base[role], self.ranges, self._places(model, own.intersection(high)))
        return paired

    def _places(self, model: ModelProto, high: Collection[str] = ()) -> Placement:
        return placement(model, self.flavour, high=high, ends=self.ends)
