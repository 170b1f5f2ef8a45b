"""The rules, as data: what is looked for, why it matters, where that is written, what to do.

Severities: an error is refused by TensorRT or computes something else there; a warning builds and is not what was
meant; a note costs time only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from build_engines.lint import graph_rules, quantization_rules
from build_engines.lint.graph import Graph, Hit

ERROR, WARNING, NOTE = SEVERITIES = ("error", "warning", "note")

OPERATORS_PAGE = "onnx-tensorrt, docs/operators.md"
QUANTIZED_TYPES = "TensorRT documentation, Working with Quantized Types"
PLACEMENT = f"{QUANTIZED_TYPES}, Q/DQ Layer-Placement Recommendations"
STRONGLY_TYPED = "TensorRT documentation, Strongly Typed Networks"
QUANTIZE = "TensorRT Operators, Quantize"


@dataclass(frozen=True)
class Rule:
    """One rule. check: finds the places; alone: what it found leaves nothing for the rules below it to stand on."""

    id: str
    severity: str
    check: Callable[[Graph], Iterator[Hit]]
    why: str
    source: str
    todo: str
    alone: bool = False


RULES = (
    Rule(
        "external-data",
        ERROR,
        graph_rules.external_data,
        why="an engine is keyed by the sha256 of one file, and TensorRT would read the other one unchecked",
        source="docs/bundle.md; ONNX, External Data",
        todo="save it with the weights inside: onnx.save(onnx.load(FILE), FILE)",
        alone=True,
    ),
    Rule(
        "ir-version",
        ERROR,
        graph_rules.ir_version,
        why="ONNX Runtime 1.23, the last one for JetPack 6, refuses newer ones, so nothing could be compared there",
        source="ONNX Runtime, ONNX version compatibility; docs/bundle.md",
        todo="set model.ir_version = 10 before saving; opsets 19 and 20 need no more",
    ),
    Rule(
        "opset",
        ERROR,
        graph_rules.opset,
        why="the parser of this TensorRT knows no other opsets",
        source=f"{OPERATORS_PAGE}; TensorRT 11, ONNX Opset Guide",
        todo="export at opset 19 or 20",
    ),
    Rule(
        "domain",
        ERROR,
        graph_rules.domain,
        why="the parser reads operators of other domains as plugins, which are not there",
        source=f"{OPERATORS_PAGE}; docs/TRT_custom_ops.md",
        todo="export plain ONNX; a file saved by ONNX Runtime's optimiser is for ONNX Runtime alone",
    ),
    Rule(
        "valid",
        ERROR,
        graph_rules.valid,
        why="onnx.checker refuses the graph",
        source="ONNX, onnx.checker",
        todo="mend what the message names; the other rules were not looked at",
        alone=True,
    ),
    Rule(
        "operator",
        ERROR,
        graph_rules.operator,
        why="it is not on the written list of operators that this TensorRT reads and this project uses",
        source=f"{OPERATORS_PAGE}; build_engines/lint/tensorrt_versions.py",
        todo="fold it (edge-sr build does so for constants) or write it with operators of the list",
    ),
    Rule(
        "operator-form",
        ERROR,
        graph_rules.operator_form,
        why="the operator is read, this form of it is not",
        source=f"{OPERATORS_PAGE}, column Restrictions",
        todo="write it in the form that is named",
    ),
    Rule(
        "dynamic-shape",
        ERROR,
        graph_rules.dynamic_shape,
        why="the engine's optimisation profile spans the batch axis and nothing else",
        source="TensorRT documentation, Working with Dynamic Shapes; docs/bundle.md",
        todo="fix all axes but the first when exporting, and fold what computes shapes",
    ),
    Rule(
        "float64",
        ERROR,
        graph_rules.float64,
        why="TensorRT casts it down to float32 and clamps it, so it does not compute what the file says",
        source=f"{OPERATORS_PAGE}, note on DOUBLE",
        todo="make it float32 when exporting, or compute it beforehand",
    ),
    Rule(
        "int64",
        WARNING,
        graph_rules.int64,
        why="64-bit integers are for shapes, axes and the timestep; as data they are eight bytes a value to move",
        source=f"{OPERATORS_PAGE}, column Supported Types",
        todo="use int32 or a float type",
    ),
    Rule(
        "mixed-types",
        ERROR,
        graph_rules.mixed_types,
        why="in a strongly typed network nothing is converted unless a Cast says so",
        source=STRONGLY_TYPED,
        todo="put a Cast before the input that differs, or convert the constant",
    ),
    Rule(
        "qdq-pair",
        ERROR,
        quantization_rules.broken_pair,
        why="int8 is a quantised type: it exists between a QuantizeLinear and DequantizeLinears of the same scale only",
        source=f"{QUANTIZED_TYPES}, Explicit Quantization",
        todo="write QuantizeLinear and DequantizeLinear as pairs",
    ),
    Rule(
        "qdq-int8",
        ERROR,
        quantization_rules.not_int8,
        why="TensorRT's 8-bit integers are signed; QuantizeLinear without zero point means uint8 in ONNX",
        source=f"{OPERATORS_PAGE}, DequantizeLinear; ONNX, QuantizeLinear",
        todo="quantise in the flavour tensorrt; write an int8 zero point",
    ),
    Rule(
        "zero-point",
        ERROR,
        quantization_rules.zero_point,
        why="TensorRT quantises symmetrically and refuses any other zero point",
        source=f"{OPERATORS_PAGE}, QuantizeLinear and DequantizeLinear",
        todo="quantise in the flavour tensorrt: scale = amax / 127, zero point 0",
    ),
    Rule(
        "scale",
        ERROR,
        quantization_rules.scale,
        why="scales have to be build-time constants, finite and above 0",
        source=QUANTIZE,
        todo="calibrate again; where a tensor is all 0, any positive scale will do",
    ),
    Rule(
        "scale-type",
        ERROR,
        quantization_rules.scale_type,
        why="before opset 19 QuantizeLinear and DequantizeLinear take float32 scales only",
        source="ONNX, QuantizeLinear-13 and QuantizeLinear-19",
        todo="convert to opset 19 or 20 before casting to FP16",
    ),
    Rule(
        "activation-axis",
        ERROR,
        quantization_rules.per_channel_activation,
        why="activations are quantised per tensor; per channel is for weights",
        source=f"{QUANTIZED_TYPES}, Explicit Quantization",
        todo="write one scale for the tensor",
    ),
    Rule(
        "weight-axis",
        ERROR,
        quantization_rules.weight_axis,
        why="per-channel scales go along the output channels: axis 0 of a Conv, axis 1 of a ConvTranspose",
        source=f"{QUANTIZED_TYPES}, Explicit Quantization; ONNX, Conv and ConvTranspose",
        todo="write axis=0 or axis=1 (left out it means 1), with one scale an output channel",
    ),
    Rule(
        "bias",
        ERROR,
        quantization_rules.bias,
        why="TensorRT adds biases in floating point, and a Q/DQ pair there keeps the layer from running in INT8",
        source=PLACEMENT,
        todo="leave biases as they are (ONNX Runtime's quantiser: QuantizeBias=False)",
    ),
    Rule(
        "half-quantized",
        WARNING,
        quantization_rules.half_quantized,
        why="a convolution runs in INT8 with Q/DQ before its data and its weights; with one of the two it only rounds",
        source=PLACEMENT,
        todo="write the other pair, or take this one out",
    ),
    Rule(
        "concat-scales",
        WARNING,
        quantization_rules.concat_scales,
        why="a Concat of INT8 tensors moves bytes only where all have one scale; else it is done in floating point",
        source=PLACEMENT,
        todo="give all its inputs one range, or none a pair",
    ),
    Rule(
        "residual-add",
        WARNING,
        quantization_rules.residual_add,
        why="an INT8 convolution and the Add behind it fuse with Q/DQ on the skip branch and none between the two",
        source=PLACEMENT,
        todo="write the pair on the skip branch alone; leave it where that branch stays high on purpose",
    ),
    Rule(
        "residual-float",
        NOTE,
        quantization_rules.residual_float,
        why="the sum behind an INT8 convolution reads a branch that is FP16 or FP32 for all, such as what a "
        "normalisation reads, so the two stay apart: one more pass over memory",
        source=PLACEMENT,
        todo="nothing where the accuracy is wanted; rounding that branch would let the two fuse",
    ),
    Rule(
        "float-part",
        NOTE,
        quantization_rules.float32_beside_int8,
        why="what is not INT8 stays in FP32, and INT8 beside FP32 tends to lose to plain FP16",
        source=STRONGLY_TYPED,
        todo="cast the graph to FP16 (opset 19 or 20), then quantise",
    ),
    Rule(
        "channels",
        NOTE,
        quantization_rules.channels,
        why="INT8 tensors are laid out 32 channels at a time (CHW32), padded to the next multiple",
        source="TensorRT documentation, I/O Formats",
        todo="make the network's widths multiples of 32, or keep this layer high",
    ),
)
