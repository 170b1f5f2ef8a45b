"""Shapes behind operators that ONNX does not know, worked out by hand from ONNX Runtime's descriptions of them."""

from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")

import numpy as np  # noqa: E402

from edge_sr.bench.roofline.shapes import Tensor, shapes_of, tensors_of  # noqa: E402
from tests.bench.roofline.graphs import codes, floats, graph  # noqa: E402

GRID = {"s": np.array(0.1, np.float32), "z": np.array(0, np.uint8), "wz": np.array(0, np.int8)}


def test_an_8_bit_convolution_with_the_channels_last() -> None:
    body = """y = com.microsoft.QLinearConv<channels_last=1, pads=[1,1,1,1], strides=[2,2]>(x, s, z, w, s, wz, s, z)"""
    net = graph("(uint8[N,8,6,3] x) => (uint8[N,a,b,c] y)", body, w=codes(5, 3, 3, 3), **GRID)
    assert tensors_of(net)["y"] == Tensor((1, 4, 3, 5), 8, "u")


def test_operators_of_onnx_and_others_in_turn() -> None:
    body = """
        t = Transpose<perm=[0,2,3,1]>(x)
        c = com.microsoft.QLinearConv<channels_last=1>(t, s, z, w, s, wz, s, z)
        p = com.microsoft.NhwcMaxPool<kernel_shape=[2,2], strides=[2,2]>(c)
        y = Transpose<perm=[0,3,1,2]>(p)
    """
    net = graph("(uint8[N,3,4,8] x) => (uint8[N,a,b,c] y)", body, w=codes(6, 3, 1, 1), **GRID)
    assert shapes_of(net)["p"] == [1, 2, 4, 6] and shapes_of(net)["y"] == [1, 6, 2, 4]


def test_sums_and_joins_of_codes() -> None:
    body = """
        a = com.microsoft.QLinearAdd(x, s, z, v, s, z, s, z)
        y = com.microsoft.QLinearConcat<axis=1>(s, z, a, s, z, x, s, z)
    """
    net = graph("(uint8[N,2,4,4] x) => (uint8[N,a,b,c] y)", body, v=np.ones((1, 2, 1, 1), np.uint8), **GRID)
    assert shapes_of(net)["a"] == [1, 2, 4, 4] and shapes_of(net)["y"] == [1, 4, 4, 4]


def test_blocked_layouts() -> None:
    body = """
        b = com.microsoft.nchwc.ReorderInput(x)
        c = com.microsoft.nchwc.Conv<pads=[1,1,1,1]>(b, w)
        y = com.microsoft.nchwc.ReorderOutput<channels=5>(c)
    """
    net = graph("(float[N,16,4,4] x) => (float[N,a,b,c] y)", body, w=floats(16, 16, 3, 3))
    assert shapes_of(net)["c"] == [1, 16, 4, 4] and shapes_of(net)["y"] == [1, 5, 4, 4]


def test_an_unknown_operator_is_not_guessed() -> None:
    net = graph("(float[N,2] x) => (float[N,a] y)", "t = com.microsoft.Mystery(x) y = Relu(t)")
    assert "x" in shapes_of(net) and "t" not in shapes_of(net) and "y" not in shapes_of(net)


@pytest.mark.parametrize(("count", "bits", "expected"), [(3, 32, 12), (3, 4, 2), (16, 8, 16)])
def test_bytes_are_whole(count: int, bits: int, expected: int) -> None:
    assert Tensor((count,), bits).bytes == expected
