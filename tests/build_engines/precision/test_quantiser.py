"""A chain's graphs in FP16 and INT8: where the pairs stand, and which convolutions have none."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="tables are made in ONNX Runtime")

from build_engines.chain_graphs import Graphs, float_graphs, observed_tensors  # noqa: E402
from build_engines.precision.quantiser import Quantiser, ends_of, in_fp16, judge_of  # noqa: E402
from build_engines.quantize import FLAVOURS  # noqa: E402
from calibration.table import CalibrationTable, read_table  # noqa: E402
from edge_sr.artifacts.bundle import Bundle  # noqa: E402
from edge_sr.artifacts.chain import Chain, chain_of  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402

every_flavour = pytest.mark.parametrize("flavour", FLAVOURS)


@pytest.fixture(scope="module")
def graphs(default_chain: Chain) -> Graphs:
    return float_graphs(default_chain)


@pytest.fixture(scope="module")
def table(default_table: Path) -> CalibrationTable:
    return read_table(default_table)


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def quantised_convolutions(model: onnx.ModelProto) -> set[str]:
    """Those whose weights come as codes, by the tensor they write."""
    codes = {node.output[0] for node in model.graph.node if node.op_type == "DequantizeLinear"}
    convolutions = [node for node in model.graph.node if node.op_type in ("Conv", "ConvTranspose")]
    return {node.output[0] for node in convolutions if node.input[1] in codes}


def test_fp16_is_of_every_network(tiny: Bundle) -> None:
    cast = in_fp16(float_graphs(chain_of(tiny, sampler="ddpm", steps=2)))
    assert list(cast) == ["encoder", "denoiser", "decoder"]
    assert all(model.graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.FLOAT for model in cast.values())


@every_flavour
def test_its_convolutions_and_tensors_are_those_of_the_graph(
    graphs: Graphs, table: CalibrationTable, flavour: str
) -> None:
    quantiser = Quantiser.of(graphs, table, flavour, harmless=())
    (written,) = quantiser.paired().values()
    assert quantised_convolutions(written) == set(quantiser.convolutions)
    assert len(quantiser.convolutions) > 20
    assert {name.removesuffix("/spread") for name in quantiser.tensors} <= set(observed_tensors(graphs["upscale"]))
    assert set(quantiser.tensors) <= set(quantiser.ranges)


@every_flavour
def test_one_that_is_kept_high_has_no_pairs(graphs: Graphs, table: CalibrationTable, flavour: str) -> None:
    quantiser = Quantiser.of(graphs, table, flavour)
    (written,) = quantiser.paired({"decoder/conv2d_6"}).values()
    assert quantised_convolutions(written) == set(quantiser.convolutions) - {"decoder/conv2d_6"}


def test_an_unknown_one_is_told(graphs: Graphs, table: CalibrationTable) -> None:
    with pytest.raises(UsageError, match="--high: no INT8 convolution writes decoder/none; expected encoder/"):
        Quantiser.of(graphs, table, "onnxruntime").graphs(["decoder/none"])


def test_first_and_last_ones_are_int8_where_the_table_found_them_harmless(
    graphs: Graphs, table: CalibrationTable
) -> None:
    ends = set(Quantiser.of(graphs, table, "onnxruntime", harmless=()).kept)
    assert len(ends) >= 2 and {"encoder/conv2d"} < ends
    bearing = replace(table, harmless=("encoder/conv2d",))
    assert Quantiser.of(graphs, bearing, "onnxruntime").kept == ends - {"encoder/conv2d"}
    assert "encoder/conv2d" in Quantiser.of(graphs, bearing, "onnxruntime").convolutions
    assert "encoder/conv2d" not in Quantiser.of(graphs, bearing, "tensorrt").convolutions


def test_for_onnx_runtime_values_move_as_codes_and_for_tensorrt_the_rest_is_fp16(
    graphs: Graphs, table: CalibrationTable
) -> None:
    own = operators(Quantiser.of(graphs, table, "onnxruntime").graphs()["upscale"])
    other = operators(Quantiser.of(graphs, table, "tensorrt").graphs()["upscale"])
    assert own["ConvTranspose"] == 0 < own["Transpose"] and own["Cast"] < other["Cast"]
    assert other["ConvTranspose"] == operators(graphs["upscale"])["ConvTranspose"] > 0


def test_ends_are_those_that_only_a_placement_with_ends_quantises(graphs: Graphs) -> None:
    for flavour in FLAVOURS:
        assert "encoder/conv2d" in ends_of(graphs, flavour)
        assert "decoder/conv2d_6" not in ends_of(graphs, flavour)


def test_pairs_of_another_runtime_are_judged_as_they_are_written() -> None:
    options = {flavour: judge_of(flavour, 1)._options() for flavour in FLAVOURS}
    disabled = {
        flavour: each.get_session_config_entry("session.disable_quant_qdq") for flavour, each in options.items()
    }
    assert disabled == {"onnxruntime": "0", "tensorrt": "1"}


def test_a_convolution_is_kept_high_by_its_tensor_its_weight_or_its_network(
    default_chain: Chain, table: CalibrationTable
) -> None:
    chain = chain_of(default_chain.bundle, sampler="ddim", steps=2)
    quantiser = Quantiser.of(float_graphs(chain), table, "tensorrt", harmless=())
    weight, names = next((w, each) for w, each in quantiser.by_weight.items() if w.startswith("denoiser/"))
    assert len(names) == 2 and quantiser.named([weight]) == names == quantiser.named(names)
    assert set(quantiser.named(["denoiser"])) == {n for n in quantiser.convolutions if n.startswith("denoiser")}
    assert quantiser.named([weight, names[0]]) == names  # each once
    with pytest.raises(UsageError, match="no INT8 convolution writes none of these"):
        quantiser.named(["none of these"])
