"""A chain's float32 graphs in another precision, as one runtime takes them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from onnx import ModelProto

from build_engines.chain_graphs import Graphs
from build_engines.precision.cast import to_fp16
from build_engines.precision.onnxrt_kernels import after_quantizing, before_quantizing, with_spread
from build_engines.quantize import FLAVOURS, Placement, Ranges, insert_qdq, placement
from calibration.table import CalibrationTable
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import UsageError


def in_fp16(graphs: Graphs) -> dict[str, ModelProto]:
    return {role: to_fp16(model) for role, model in graphs.items()}


def judge_of(flavour: str, threads: int | None = None) -> OnnxRuntime:
    """ONNX Runtime as it judges INT8 graphs of a flavour: its own as it runs them, another runtime's as written.

    threads: None takes all cores. They do not spin, for models are run in turn.
    """
    return OnnxRuntime(threads, spinning=False, fused_pairs=flavour == "onnxruntime")


@dataclass(frozen=True)
class Quantiser:
    """Writes INT8 graphs from the same float ones, with other convolutions kept high each time.

    plain: float32 graphs, which say where the pairs go: for ONNX Runtime in its own form. base: what they are written
    into: the same, or for TensorRT the FP16 graphs. kept: first and last convolutions that are high each time.
    """

    flavour: str
    ranges: Ranges = field(repr=False)
    plain: Graphs = field(repr=False)
    base: Graphs = field(repr=False)
    kept: frozenset[str] = frozenset()

    @classmethod
    def of(
        cls, graphs: Graphs, table: CalibrationTable, flavour: str, *, harmless: Collection[str] | None = None
    ) -> Quantiser:
        """harmless: first and last convolutions that are INT8 too. None takes for ONNX Runtime those of the table;
        TensorRT, where FP16 costs little at so few channels, keeps all of them high.
        """
        ranges: Ranges = table.ranges(symmetric=FLAVOURS[flavour].symmetric)
        plain: Graphs = graphs
        if flavour == "onnxruntime":
            plain = {role: before_quantizing(model) for role, model in graphs.items()}
            for model in plain.values():
                ranges = with_spread(ranges, model)
        if harmless is None:
            harmless = table.harmless if flavour == "onnxruntime" else ()
        kept = frozenset(ends_of(plain, flavour)) - set(harmless)
        return cls(flavour, ranges, plain, in_fp16(graphs) if flavour == "tensorrt" else plain, kept)

    @property
    def convolutions(self) -> tuple[str, ...]:
        """Those that are INT8 where none is kept high, by the tensor they write, in the order of the graphs."""
        return tuple(each.name for model in self.plain.values() for each in self._places(model).convolutions)

    @property
    def by_weight(self) -> dict[str, tuple[str, ...]]:
        """Weight -> the convolutions that have it: where steps are unrolled, one a step."""
        found: dict[str, list[str]] = {}
        for model in self.plain.values():
            for each in self._places(model).convolutions:
                found.setdefault(each.weight, []).append(each.name)
        return {weight: tuple(names) for weight, names in found.items()}

    @property
    def by_network(self) -> dict[str, tuple[str, ...]]:
        """Network, such as decoder -> its convolutions, of all steps."""
        found: dict[str, tuple[str, ...]] = {}
        for weight, names in self.by_weight.items():
            network = weight.partition("/")[0]
            found[network] = found.get(network, ()) + names
        return found

    @property
    def tensors(self) -> tuple[str, ...]:
        """Those whose ranges decide where no convolution is kept high, in the order of the graphs."""
        return tuple(name for model in self.plain.values() for name in self._places(model).tensors)

    def named(self, high: Collection[str]) -> tuple[str, ...]:
        """The convolutions that write these tensors, have these weights (at all steps), or are in these networks.

        UsageError where there is no such one in INT8.
        """
        known = {**self.by_weight, **self.by_network, **{name: (name,) for name in self.convolutions}}
        if unknown := sorted(set(high) - known.keys()):
            raise UsageError(f"no INT8 convolution writes {unknown[0]}", where="--high", expected=self.convolutions[0])
        return tuple(dict.fromkeys(name for each in high for name in known[each]))

    def graphs(self, high: Collection[str] = ()) -> dict[str, ModelProto]:
        """high: convolutions of any of the graphs, see ``named``."""
        paired = self.paired(high)
        if self.flavour == "onnxruntime":
            return {role: after_quantizing(model) for role, model in paired.items()}
        return paired

    def twin(self) -> Quantiser:
        """The same with pairs in float32 graphs: what rounding does, in every version of ONNX Runtime.

        Before 1.30 it truncates in FP16 QuantizeLinear on a CPU; FP16 itself moves these figures by less than 0.1 dB.
        """
        return replace(self, base=self.plain)

    def paired(self, high: Collection[str] = ()) -> dict[str, ModelProto]:
        """The same before the runtime's own rewrites: every quantised convolution stands between its pairs."""
        names = self.named(high)
        return {
            role: insert_qdq(self.base[role], self.ranges, self._places(model, names))
            for role, model in self.plain.items()
        }

    def _places(self, model: ModelProto, high: Collection[str] = ()) -> Placement:
        """high: convolutions of any of the graphs."""
        own = {name for node in model.graph.node for name in node.output}
        return placement(model, self.flavour, high=own.intersection(self.kept.union(high)), ends=True)


def ends_of(graphs: Graphs, flavour: str) -> tuple[str, ...]:
    """First and last convolutions, by the tensor they write, as far as a flavour could quantise them."""
    inner = {each.name for model in graphs.values() for each in placement(model, flavour).convolutions}
    every = (each.name for model in graphs.values() for each in placement(model, flavour, ends=True).convolutions)
    return tuple(name for name in every if name not in inner)
