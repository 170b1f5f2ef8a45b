"""What each TensorRT reads of ONNX, as far as the graphs of this project go.

OPERATORS is the written allow-list: what the edge, feed-forward and paper networks are made of, quantised or not, and
what a user's own network of that kind is likely to hold. An operator gets in by its row in onnx-tensorrt's
docs/operators.md, the list of the parser that all TensorRT packages come with. For 10.3 it has a row both in the list
of 9.2 and in that of 10.15; for the later ones in that of 10.15.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

_LISTED = """
    Abs Add AveragePool BatchNormalization Cast Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos
    DepthToSpace DequantizeLinear Div Equal Erf Exp Expand Flatten Floor Gather Gemm GlobalAveragePool Greater
    GreaterOrEqual GroupNormalization HardSigmoid HardSwish Identity InstanceNormalization LayerNormalization
    LeakyRelu Less LessOrEqual Log MatMul Max MaxPool Mean Min Mul Neg Not PRelu Pad Pow QuantizeLinear ReduceMax
    ReduceMean ReduceMin ReduceSum Relu Reshape Resize Round Shape Sigmoid Sin Slice Softmax Softplus SpaceToDepth
    Split Sqrt Squeeze Sub Sum Tanh Tile Transpose Unsqueeze Where
"""
OPERATORS = frozenset(_LISTED.split())
LATER = frozenset({"Gelu"})  # a row in the list of 10.15, none in that of 9.2
REDUCTIONS = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")


@dataclass(frozen=True)
class TensorRT:
    """One version.

    opsets: the lowest and the highest of the default domain. constant_inputs: operator -> the input that has to be a
    constant. source: where this is written.
    """

    name: str
    opsets: tuple[int, int]
    operators: frozenset[str]
    constant_inputs: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(REDUCTIONS, 1))
    source: str = ""


VERSIONS = {
    version.name: version
    for version in (
        TensorRT(
            "10.3",  # JetPack 6
            (9, 20),
            OPERATORS,
            dict.fromkeys((*REDUCTIONS, "Squeeze", "Unsqueeze"), 1),  # these two until 10.7
            source="onnx-tensorrt, docs/operators.md of 9.2, 10.0 and 10.15, docs/Changelog.md",
        ),
        TensorRT(
            "10.16",  # JetPack 7
            (9, 24),
            OPERATORS | LATER,
            source="onnx-tensorrt, docs/operators.md of 10.15",
        ),
        TensorRT(
            "11",
            (9, 25),
            OPERATORS | LATER,
            source="onnx-tensorrt, docs/operators.md of 10.15; TensorRT 11, ONNX Opset Guide",
        ),
    )
}
OLDEST = "10.3"  # every later one reads what it reads

OUTPUTS = {"MaxPool": 1, "LayerNormalization": 1}
"""operator -> how many of its outputs are written; docs/operators.md of 10.15, as what follows."""

ATTRIBUTES: Mapping[str, Mapping[str, frozenset[int | str]]] = {
    "AveragePool": {"dilations": frozenset({1})},
    "MaxPool": {"dilations": frozenset({1})},
    "Resize": {
        "antialias": frozenset({0}),
        "coordinate_transformation_mode": frozenset(
            {"half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners"}
        ),
        "keep_aspect_ratio_policy": frozenset({"stretch"}),
        "mode": frozenset({"nearest", "linear"}),
    },
}
"""operator -> attribute -> the values that are read; of lists, their elements."""
