"""A float32 graph in FP16, with Cast nodes at the borders of what stays float32.

Strongly typed, as TensorRT builds it: every node reads one float type, and nothing changes type but by a Cast. Tensors
keep their names, so calibration ranges and the places of Q/DQ pairs, which go by name, fit the FP16 graph too. Where a
tensor exists in both types, the second one is its twin (``build_engines.quantize.half``).

Float32 stays:

- the graph's inputs and outputs;
- what is computed before the first convolution, and from the timestep until it meets the latents. In FP16 a sine of
  timestep * frequency is wrong in its first digits: at timestep 300 angles are multiples of 0.25;
- what leads to the picture behind the last convolution: the bicubic skip with its padding, the sum with it, clip and
  projection. The sum is the picture, and near white FP16 has steps of 1/8 of a grey level of 255;
- the sampler's arithmetic between the networks: a latent that FP16 rounds at every step is rounded for all later ones;
- operators that sum or raise a whole picture (SENSITIVE), and nodes with a constant that FP16 makes 0.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import onnx_graphsurgeon as gs
from onnx import ModelProto, TensorProto

from build_engines.onnx_check import complete
from build_engines.quantize.half import LARGEST, twin
from build_engines.simplify import SUBGRAPHS, fold_constants
from edge_sr.errors import UsageError

SINGLE, HALF = np.dtype(np.float32), np.dtype(np.float16)
PROTO_TYPES = {SINGLE: TensorProto.FLOAT, HALF: TensorProto.FLOAT16}
VANISHES = 2**-25  # half of the smallest number; rounded to even, 0
PICTURE = "sr"  # the output that holds it
NETWORKS = ("Conv", "ConvTranspose", "Gemm", "MatMul")  # what is worth a faster type
# Squares and sums of a few hundred values in the hundreds pass 65504. The normalisations that ONNX has an operator for
# are FP16 outside: TensorRT's layer has a compute precision of its own (INormalizationLayer::setComputePrecision).
SENSITIVE = {"Cos", "Exp", "Log", "Pow", "ReduceL2", "ReduceMean", "ReduceSum", "ReduceSumSquare", "Sin"}
READ_ANY = {"Cast", "Shape", "Size"}  # what they give does not depend on the type they read
PARAMETERS = {"Resize": (1, 2)}  # inputs that are float32 in every graph


def to_fp16(model: ModelProto, *, keep: Collection[str] = ()) -> ModelProto:
    """The graph in FP16 by the rules above; same inputs, outputs and opset. The model that came is left alone.

    keep: tensors whose nodes stay float32 as well. Raises UsageError for an unknown one, for a constant beyond 65504
    (it names it), and for graphs with control flow, Q/DQ pairs or FP16 in them.
    """
    _refuse(model)
    folded = ModelProto()
    folded.CopyFrom(model)
    fold_constants(folded)
    complete(folded)
    graph = gs.import_onnx(folded)
    _check_tensors(graph, keep)
    _idle_casts_to_identities(graph)
    single = _Single(graph, keep)
    types = [(node, SINGLE if single.stays(node) else HALF) for node in graph.nodes]  # all, before the first changes
    writer = _Writer(graph)
    for node, dtype in types:
        writer.write(node, dtype)
    writer.finish()
    cast = gs.export_onnx(graph)
    complete(cast)
    return cast


def _refuse(model: ModelProto) -> None:
    for node in model.graph.node:
        where = node.name or node.output[0]
        if any(attribute.type in SUBGRAPHS for attribute in node.attribute):
            raise UsageError(f"control flow: {node.op_type}", where=where, expected="a plain graph")
        if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
            raise UsageError("Q/DQ pairs", where=where, expected="a float32 graph: cast first, then quantise")


def _check_tensors(graph: gs.Graph, keep: Collection[str]) -> None:
    tensors = graph.tensors()
    if half := sorted(name for name, tensor in tensors.items() if tensor.dtype == HALF):
        raise UsageError("is FP16 already", where=half[0], expected="a float32 graph")
    if unknown := sorted(set(keep) - {tensor.name for node in graph.nodes for tensor in node.outputs}):
        raise UsageError("no node writes this", where=unknown[0])


def _idle_casts_to_identities(graph: gs.Graph) -> None:
    """Casts of float32 to float32, which exporters leave behind. Without them the names of their results were lost."""
    for node in graph.nodes:
        if node.op == "Cast" and _is_single(node.inputs[0]) and _is_single(node.outputs[0]):
            node.op = "Identity"
            node.attrs.clear()


def _is_single(tensor: gs.Tensor) -> bool:
    return not tensor.is_empty() and tensor.dtype == SINGLE


class _Single:
    """Which nodes stay float32."""

    def __init__(self, graph: gs.Graph, keep: Collection[str]) -> None:
        self.keep = set(keep)
        self.composed = any(node.name.startswith("denoiser0/") for node in graph.nodes)
        floats = {tensor.name for tensor in graph.inputs if _is_single(tensor)}
        self.fed = _reached(graph.nodes, floats)  # tensors that depend on more than the timestep
        self.behind = _behind_networks(graph.nodes)  # tensors with a convolution before them
        self.before = _needed(graph.nodes, set())  # tensors with a convolution behind them
        self.pictured = _leading_to(graph.nodes, PICTURE) if PICTURE in {o.name for o in graph.outputs} else set()

    def stays(self, node: gs.Node) -> bool:
        written = {tensor.name for tensor in node.outputs}
        return (
            node.op in SENSITIVE
            or not self.keep.isdisjoint(written)
            or self.fed.isdisjoint(written)
            or self.behind.isdisjoint(written)
            or self.finishes(node, written)
            or self.samples(node)
            or any(_vanishes(tensor) for tensor in node.inputs)
            or (node.op != "Cast" and not any(_is_single(tensor) for tensor in node.inputs))
        )

    def finishes(self, node: gs.Node, written: set[str]) -> bool:
        """Whether it stands behind the last convolution before the picture, or is the bicubic skip."""
        if self.pictured.isdisjoint(written) or not self.before.isdisjoint(written):
            return False
        first = self.behind.isdisjoint(tensor.name for tensor in node.inputs)
        return node.op not in NETWORKS or first

    def samples(self, node: gs.Node) -> bool:
        """Whether ``compose`` wrote it between the networks, whose nodes it names network/node."""
        return self.composed and "/" not in node.name


def _reached(nodes: Sequence[gs.Node], start: set[str]) -> set[str]:
    """The tensors that depend on one of these, and these."""
    reached = set(start)
    for node in nodes:
        if any(tensor.name in reached for tensor in node.inputs):
            reached.update(tensor.name for tensor in node.outputs)
    return reached


def _behind_networks(nodes: Sequence[gs.Node]) -> set[str]:
    written = {tensor.name for node in nodes if node.op in NETWORKS for tensor in node.outputs}
    return _reached(nodes, written)


def _needed(nodes: Sequence[gs.Node], start: set[str], *, networks: bool = True) -> set[str]:
    """The tensors that one of these, or with ``networks`` some convolution, depends on."""
    needed = set(start)
    for node in reversed(nodes):
        if (networks and node.op in NETWORKS) or any(tensor.name in needed for tensor in node.outputs):
            needed.update(tensor.name for tensor in node.inputs)
    return needed


def _leading_to(nodes: Sequence[gs.Node], output: str) -> set[str]:
    return _needed(nodes, {output}, networks=False)


def _vanishes(tensor: gs.Tensor) -> bool:
    """Whether it is a constant, such as an epsilon, of which FP16 leaves nothing but zeros."""
    if not isinstance(tensor, gs.Constant) or not _is_single(tensor):
        return False
    return 0 < np.abs(tensor.values).max(initial=0) <= VANISHES


class _Writer:
    """Writes the nodes anew, each in its type, and Casts before those that read another one."""

    def __init__(self, graph: gs.Graph) -> None:
        self.graph = graph
        self.floats = {name for name, tensor in graph.tensors().items() if _is_single(tensor)}
        self.outputs = {tensor.name for tensor in graph.outputs}
        self.types: dict[str, dict[np.dtype, gs.Tensor]] = {t.name: {SINGLE: t} for t in graph.inputs}
        self.written: list[gs.Node] = []

    def write(self, node: gs.Node, dtype: np.dtype) -> None:
        for index, tensor in enumerate(list(node.inputs)):
            if tensor.name in self.floats:
                node.inputs[index] = self.read(tensor, self.wanted(node, index, dtype))
        self.written.append(node)
        if node.op == "Cast" and node.outputs[0].name in self.floats:
            node.attrs["to"] = PROTO_TYPES[dtype]
        for index, tensor in enumerate(list(node.outputs)):
            if tensor.name in self.floats:
                self.types[tensor.name] = {dtype: self.give(node, index, dtype)}

    def wanted(self, node: gs.Node, index: int, dtype: np.dtype) -> np.dtype:
        """The type that the node reads here."""
        if node.op in READ_ANY:
            return next(iter(self.types.get(node.inputs[index].name, {SINGLE: None})))
        return SINGLE if index in PARAMETERS.get(node.op, ()) else dtype

    def give(self, node: gs.Node, index: int, dtype: np.dtype) -> gs.Tensor:
        """What the node writes. An output of the graph keeps its name in float32."""
        tensor = node.outputs[index]
        if dtype == HALF and tensor.name in self.outputs:
            inner = gs.Variable(twin(tensor.name, HALF), HALF, tensor.shape)
            node.outputs[index] = inner
            self.cast(inner, tensor, SINGLE)
            return inner
        tensor.dtype = dtype
        return tensor

    def read(self, tensor: gs.Tensor, dtype: np.dtype) -> gs.Tensor:
        """The tensor in this type; cast at most once for all who read it so."""
        types = self.types.setdefault(tensor.name, {})
        if dtype not in types:
            types[dtype] = (
                self.constant(tensor, dtype) if isinstance(tensor, gs.Constant) else self.other(tensor, dtype)
            )
        return types[dtype]

    def other(self, tensor: gs.Tensor, dtype: np.dtype) -> gs.Tensor:
        if tensor.name in self.outputs and dtype == SINGLE:
            return tensor  # cast already, for the graph's sake
        (source,) = self.types[tensor.name].values()
        copy = gs.Variable(twin(tensor.name, dtype), dtype, tensor.shape)
        self.cast(source, copy, dtype)
        return copy

    def constant(self, tensor: gs.Constant, dtype: np.dtype) -> gs.Constant:
        return tensor if dtype == SINGLE else gs.Constant(twin(tensor.name, HALF), _half(tensor))

    def cast(self, source: gs.Tensor, target: gs.Tensor, dtype: np.dtype) -> None:
        self.written.append(
            gs.Node("Cast", f"{target.name}/cast", {"to": PROTO_TYPES[dtype]}, inputs=[source], outputs=[target])
        )

    def finish(self) -> None:
        """Constants that are read in FP16 alone get their names back."""
        for name, types in self.types.items():
            if isinstance(types.get(HALF), gs.Constant) and SINGLE not in types:
                types[HALF].name = name
        self.graph.nodes.clear()
        self.graph.nodes.extend(self.written)


def _half(tensor: gs.Constant) -> np.ndarray:
    """Its values in FP16. An infinity is meant, as in a mask; one that the rounding makes is refused."""
    with np.errstate(over="ignore"):
        half: np.ndarray = tensor.values.astype(HALF)
    lost = np.isinf(half) & np.isfinite(tensor.values)
    if lost.any():
        worst = np.abs(tensor.values[lost]).max()
        expected = f"at most {LARGEST:g}, the largest that FP16 holds"
        raise UsageError(f"a value of {worst:g}", where=tensor.name, expected=expected, hint="--precision fp32")
    return half
