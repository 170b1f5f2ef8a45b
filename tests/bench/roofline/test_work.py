"""Launches of graphs that are counted by hand."""

from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")

import numpy as np  # noqa: E402

from edge_sr.bench.roofline.work import PROJECTION, work_of  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402
from tests.bench.roofline.graphs import chain, codes, floats, graph  # noqa: E402

MAP = 2 * 4 * 4  # elements of every tensor of the chain
WEIGHTS = 4


def test_every_node_is_a_launch_that_reads_and_writes() -> None:
    works = work_of(chain())
    assert [work.operations for work in works] == [128, MAP, 128, MAP, MAP, 128, MAP]
    assert [work.bytes for work in works] == [
        4 * count for count in (2 * MAP + WEIGHTS, 2 * MAP, 2 * MAP + WEIGHTS, 3 * MAP, 2 * MAP, 2 * MAP + WEIGHTS, 96)
    ]


def test_fused_nodes_read_and_write_once() -> None:
    works = work_of(chain(), fused=True)
    assert [len(work.nodes) for work in works] == [2, 3, 2]
    assert [work.operations for work in works] == [128 + MAP, 128 + 2 * MAP, 128 + MAP]
    assert [work.bytes for work in works] == [4 * (n * MAP + WEIGHTS) for n in (2, 2, 3)]  # the last reads lr too


def test_what_two_read_is_written_in_full() -> None:
    body = "a = Conv(x, w) b = Relu(a) c = MaxPool<kernel_shape=[1,1]>(a) y = Add(b, c)"
    works = work_of(graph("(float[N,2,4,4] x) => (float[N,2,4,4] y)", body, w=floats(2, 2, 1, 1)), fused=True)
    assert [work.nodes for work in works] == [("a",), ("b",), ("c",), ("y",)]


def test_only_the_inside_of_a_network_is_counted_in_8_bits() -> None:
    first, middle, last = work_of(chain(), precision="int8", fused=True)
    assert (first.precision, middle.precision, last.precision) == ("fp16", "int8", "fp16")
    assert middle.bytes == 2 * MAP + WEIGHTS
    assert first.bytes == 4 * MAP + 1 * MAP + 2 * WEIGHTS  # lr is float32; what the middle reads has 8 bits


def test_the_ends_may_be_in_8_bits_too() -> None:
    assert {work.precision for work in work_of(chain(), precision="int8", ends="int8", fused=True)} == {"int8"}


def test_the_sum_behind_the_last_convolution_stays_float32() -> None:
    assert [work.precision for work in work_of(chain(), precision="fp16")] == ["fp16"] * 6 + ["fp32"]


def test_a_quantised_graph_is_taken_as_it_is_written() -> None:
    body = "q = QuantizeLinear(x, s, z) c = QLinearConv(q, s, z, w, s, wz, s, z) y = DequantizeLinear(c, s, z)"
    grid = {"s": np.array(0.1, np.float32), "z": np.array(0, np.uint8), "wz": np.array(0, np.int8)}
    net = graph("(float[N,2,4,4] x) => (float[N,2,4,4] y)", body, w=codes(2, 2, 1, 1), **grid)
    quantize, convolution, _ = work_of(net, precision="fp16")
    assert convolution.precision == "int8" and convolution.operations == 128
    assert quantize.bytes == 4 * MAP + MAP + 4 + 1


def test_reshapes_cost_nothing() -> None:
    net = graph("(float[N,2,4,4] x) => (float[N,32] y)", "y = Flatten(x)")
    assert work_of(net)[0].bytes == 0 and work_of(net, fused=True) == []


def test_stages_go_by_names_and_by_what_a_node_leads_to() -> None:
    model = chain()
    model.graph.node[1].name = "Transpose_token_7"
    model.graph.node[1].output[0] = model.graph.node[2].input[0] = "renamed"
    model.graph.node[3].input[1] = "renamed"
    assert [work.stage for work in work_of(model)] == ["decoder"] * 6 + [PROJECTION]


def test_a_network_by_itself_is_one_stage() -> None:
    net = graph("(float[N,2] x) => (float[N,2] y)", "t = Relu(x) y = Neg(t)", name="generator")
    assert {work.stage for work in work_of(net)} == {"generator"}


def test_an_open_size_is_named() -> None:
    with pytest.raises(UsageError, match=r"x: the shape of this tensor is not known"):
        work_of(graph("(float[N,h] x) => (float[N,h] y)", "y = Relu(x)"))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(UsageError, match="no such precision: int4; expected fp32, fp16, int8"):
        work_of(chain(), precision="int4")
