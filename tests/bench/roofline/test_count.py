from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")

from edge_sr.bench.roofline.count import macs_of, operations_of  # noqa: E402
from edge_sr.bench.roofline.shapes import shapes_of  # noqa: E402
from tests.bench.roofline.graphs import codes, floats, graph  # noqa: E402


def test_a_grouped_convolution_costs_its_share_of_the_channels() -> None:
    net = graph("(float[N,4,6,6] x) => (float[N,8,6,6] y)", "y = Conv<group=4>(x, w)", w=floats(8, 1, 1, 1))
    assert macs_of(net.graph.node[0], shapes_of(net)) == 8 * 1 * 36


def test_an_8_bit_one_with_the_channels_last_counts_pixels_and_not_channels() -> None:
    body = "y = com.microsoft.QLinearConv<channels_last=1>(x, s, z, w, s, z, s, z)"
    ports = "(uint8[N,2,3,4] x, float s, uint8 z) => (uint8[N,2,3,7] y)"
    net = graph(ports, body, w=codes(7, 4, 1, 1))
    assert operations_of(net.graph.node[0], shapes_of(net)) == 2 * (7 * 4) * (2 * 3)


def test_strips_of_a_picture_that_are_images_of_a_batch_all_count() -> None:
    body = "s = Reshape(x, to) y = Conv(s, w)"
    to = np.array([-1, 4, 3, 6])
    net = graph("(float[N,4,6,6] x) => (float[2,8,3,6] y)", body, w=floats(8, 4, 1, 1), to=to)
    assert macs_of(net.graph.node[1], shapes_of(net)) == 8 * 4 * 36


def test_a_product_with_a_transposed_first_factor() -> None:
    net = graph("(float[5,3] x) => (float[3,7] y)", "y = Gemm<transA=1>(x, w)", w=floats(5, 7))
    assert macs_of(net.graph.node[0], shapes_of(net)) == 3 * 7 * 5


@pytest.mark.parametrize(
    ("body", "operations"),
    [
        ("y = Relu(x)", 32),
        ("y = ReduceMean<keepdims=1>(x)", 32),
        ("y = Transpose<perm=[0,1,3,2]>(x)", 0),
        ("y = MaxPool<kernel_shape=[2,2], strides=[2,2]>(x)", 2 * 4 * 4),
    ],
)
def test_what_is_no_product_counts_one_an_element(body: str, operations: int) -> None:
    net = graph("(float[N,2,4,4] x) => (float[N,a,b,c] y)", body)
    assert operations_of(net.graph.node[0], shapes_of(net)) == operations
