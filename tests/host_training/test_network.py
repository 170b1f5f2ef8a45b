from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.bench.roofline.shapes import shapes_of
from host_training.network import Cost, Levels, Stage, cost_of, levels_of

HEADER = '<ir_version: 10, opset_import: ["" : 20]>'


def network(ports: str, body: str) -> ModelProto:
    """Weights that are declared without values become zeros."""
    model = onnx.parser.parse_model(f"{HEADER} net {ports} {{ {body} }}")
    for value in model.graph.value_info:
        shape = [axis.dim_value for axis in value.type.tensor_type.shape.dim]
        model.graph.initializer.append(numpy_helper.from_array(np.zeros(shape, np.float32), value.name))
    return model


def default(role: str) -> ModelProto:
    return onnx.load(Bundle.open(default_bundle()).path(role))


def test_a_convolution_costs_its_kernel_at_every_pixel() -> None:
    weights = "float[8,3,3,3] w, float[8] b"
    net = network(
        f"(float[N,3,10,20] x) => (float[N,8,5,10] y) <{weights}>", "y = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, b)"
    )
    assert cost_of(net).macs == 8 * 3 * 9 * 5 * 10


def test_a_transposed_one_at_every_pixel_that_goes_in() -> None:
    net = network(
        "(float[N,6,4,4] x) => (float[N,2,8,8] y) <float[6,2,2,2] w>", "y = ConvTranspose<strides=[2,2]>(x, w)"
    )
    assert cost_of(net).macs == 6 * 2 * 4 * 16


def test_products_of_matrices_count_too() -> None:
    body = "t = Transpose<perm=[0,2,1]>(x) a = MatMul(x, t) f = Flatten(a) y = Gemm<transB=1>(f, w)"
    net = network("(float[N,5,7] x) => (float[N,4] y) <float[4,25] w>", body)
    assert cost_of(net).macs == 5 * 7 * 5 + 25 * 4


def test_what_a_graph_leaves_open_is_not_known() -> None:
    net = network("(float[N,1,h,w] x) => (float[N,1,h,w] y) <float[1,1,1,1] k = {2}>", "y = Conv(x, k)")
    assert cost_of(net) == Cost(parameters=1, macs=None)
    assert levels_of(net) is None and "y" not in shapes_of(net)


def test_integers_are_no_parameters() -> None:
    ports = "(float[N,4] x) => (float[N,2,2] y) <int64[3] s = {0, 2, 2}, float[4] w = {1, 2, 3, 4}>"
    assert cost_of(network(ports, "m = Mul(x, w) y = Reshape(m, s)")).parameters == 4


def test_the_composed_graph_costs_what_its_parts_cost() -> None:
    parts = {role: cost_of(default(role)).macs for role in ("encoder", "denoiser", "decoder", "upscale")}
    whole = parts.pop("upscale")
    assert whole is not None and None not in parts.values()
    # the time embedding, a few products of small matrices, is a constant there
    assert whole == pytest.approx(sum(macs or 0 for macs in parts.values()), rel=1e-3)


def test_the_default_denoiser_goes_down_and_up() -> None:
    levels = levels_of(default("denoiser"))
    assert levels is not None and levels.is_u
    assert [stage.side for stage in levels.stages] == [32, 16, 8, 16, 32]
    assert levels.skips == ((1, 3), (0, 4))
    assert levels.stages[1].layers == ("3×3, 64 to 96", "3×3, 96 to 96")
    assert levels.stages[3].layers[0] == "up 2×2, 128 to 96"


def test_attention_stands_in_its_level() -> None:
    body = """
        a = Conv(x, w) q = Reshape(a, s) t = Transpose<perm=[0,2,1]>(q) m = MatMul(q, t) p = Softmax(m)
        o = MatMul(p, q) r = Reshape(o, back) y = Conv(r, w)
    """
    constants = "float[2,2,1,1] w, int64[3] s = {1, 2, 16}, int64[4] back = {1, 2, 4, 4}"
    levels = levels_of(network(f"(float[1,2,4,4] x) => (float[1,2,4,4] y) <{constants}>", body))
    assert levels == Levels((Stage(4, ("1×1, 2 to 2", "attention", "1×1, 2 to 2")),), ())
    assert not levels.is_u


@pytest.mark.parametrize(
    ("sides", "is_u"),
    [([4, 2, 4], True), ([4, 2], False), ([4, 2, 1, 2], False), ([2, 4, 2], False), ([4, 2, 4, 2, 4], False)],
)
def test_a_u_has_one_stage_a_level_on_each_side(sides: list[int], is_u: bool) -> None:
    assert Levels(tuple(Stage(side, ()) for side in sides), ()).is_u == is_u
