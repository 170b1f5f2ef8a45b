from __future__ import annotations

import onnx
import pytest
from onnx import ModelProto

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.bench.roofline.cost import Cost, cost_of, cost_of_bundle
from edge_sr.bench.roofline.shapes import shapes_of
from tests.bench.roofline.graphs import with_zeros


def default(role: str) -> ModelProto:
    return onnx.load(Bundle.open(default_bundle()).path(role))


def test_a_convolution_costs_its_kernel_at_every_pixel() -> None:
    weights = "float[8,3,3,3] w, float[8] b"
    net = with_zeros(
        f"(float[N,3,10,20] x) => (float[N,8,5,10] y) <{weights}>", "y = Conv<pads=[1,1,1,1], strides=[2,2]>(x, w, b)"
    )
    assert cost_of(net).macs == 8 * 3 * 9 * 5 * 10


def test_a_transposed_one_at_every_pixel_that_goes_in() -> None:
    net = with_zeros(
        "(float[N,6,4,4] x) => (float[N,2,8,8] y) <float[6,2,2,2] w>", "y = ConvTranspose<strides=[2,2]>(x, w)"
    )
    assert cost_of(net).macs == 6 * 2 * 4 * 16


def test_products_of_matrices_count_too() -> None:
    body = "t = Transpose<perm=[0,2,1]>(x) a = MatMul(x, t) f = Flatten(a) y = Gemm<transB=1>(f, w)"
    net = with_zeros("(float[N,5,7] x) => (float[N,4] y) <float[4,25] w>", body)
    assert cost_of(net).macs == 5 * 7 * 5 + 25 * 4


def test_what_a_graph_leaves_open_is_not_known() -> None:
    net = with_zeros("(float[N,1,h,w] x) => (float[N,1,h,w] y) <float[1,1,1,1] k = {2}>", "y = Conv(x, k)")
    assert cost_of(net) == Cost(parameters=1, macs=None)
    assert "y" not in shapes_of(net)


def test_integers_are_no_parameters() -> None:
    ports = "(float[N,4] x) => (float[N,2,2] y) <int64[3] s = {0, 2, 2}, float[4] w = {1, 2, 3, 4}>"
    assert cost_of(with_zeros(ports, "m = Mul(x, w) y = Reshape(m, s)")).parameters == 4


def test_the_composed_graph_costs_what_its_parts_cost() -> None:
    parts = {role: cost_of(default(role)).macs for role in ("encoder", "denoiser", "decoder", "upscale")}
    whole = parts.pop("upscale")
    assert whole is not None and None not in parts.values()
    # the time embedding, a few products of small matrices, is a constant there
    assert whole == pytest.approx(sum(macs or 0 for macs in parts.values()), rel=1e-3)


def test_each_step_of_the_denoiser_counts() -> None:
    bundle = Bundle.open(default_bundle())
    one, four = cost_of_bundle(bundle, steps=1), cost_of_bundle(bundle, steps=4)
    denoiser = cost_of(default("denoiser")).macs
    assert one.macs and four.macs and denoiser and four.macs - one.macs == 3 * denoiser
    assert one.parameters == four.parameters > 500_000
