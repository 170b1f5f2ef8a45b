"""Q/DQ pairs in a graph that was cast to FP16 first."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")
pytest.importorskip("onnx_graphsurgeon", reason="the cast is done with it")

from onnx import TensorProto, numpy_helper  # noqa: E402

from build_engines.lint import lint  # noqa: E402
from build_engines.precision.cast import to_fp16  # noqa: E402
from build_engines.quantize import Placement, grid, insert_qdq, placement, weight_grid  # noqa: E402
from build_engines.quantize.half import SMALLEST_NORMAL, float_name, half_scales, is_border  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402
from tests.build_engines.node_by_node import node_by_node, run, types  # noqa: E402
from tests.build_engines.quantisable import composed, exact_ranges, feeds, network  # noqa: E402
from tests.old_onnxruntime import rounds_in_fp16  # noqa: E402

Model = "onnx.ModelProto"
ends = pytest.mark.parametrize("ends", [False, True])


def written(model: Model, places: Placement) -> Model:
    return insert_qdq(to_fp16(model), exact_ranges(places), places)


def pairs(model: Model, operator: str = "QuantizeLinear") -> list[onnx.NodeProto]:
    return [node for node in model.graph.node if node.op_type == operator]


@ends
@pytest.mark.parametrize("steps", [1, 2])
def test_the_places_of_the_float_graph_are_those_of_the_fp16_graph(steps: int, ends: bool) -> None:
    model = composed(steps)
    places = placement(model, "tensorrt", ends=ends)
    single, half = insert_qdq(model, exact_ranges(places), places), written(model, places)
    assert [n.output[0] for n in pairs(half)] == [n.output[0] for n in pairs(single)]
    assert [float_name(n.input[0]) for n in pairs(half)] == [n.input[0] for n in pairs(single)]


@ends
def test_pairs_read_and_give_fp16(ends: bool) -> None:
    model = composed(2)
    half = written(model, placement(model, "tensorrt", ends=ends))
    kinds = types(half)
    ends_of = [(n.input[0], n.input[1]) for n in pairs(half)]
    ends_of += [(n.output[0], n.input[1]) for n in pairs(half, "DequantizeLinear")]
    assert {kinds[name] for both in ends_of for name in both} == {TensorProto.FLOAT16}
    assert {finding.severity for finding in lint(half, version="10.3")} == {"note"}


def test_the_skip_and_the_sampler_have_no_pair() -> None:
    model = composed(2)
    half = written(model, placement(model, "tensorrt", ends=True))
    plain = [n for n in half.graph.node if "/" not in n.name or "decoder/skip" in n.input]
    assert len(plain) > 20 and not any("dequantized" in name for node in plain for name in node.input)


def by_hand(model: Model, places: Placement) -> np.ndarray:
    """The FP16 graph without pairs; what stands at a place goes through its grid first."""
    scales = [half_scales(grid(*limits, places.flavour)[0]) for limits in places.limits(exact_ranges(places))]
    groups = {(reader.node, reader.index): scales[reader.group] for reader in places.readers}
    axes = {(convolution.name, 1): convolution.axis for convolution in places.convolutions}

    def altered(node: onnx.NodeProto, index: int, value: np.ndarray) -> np.ndarray:
        place = (float_name(node.output[0]), index)
        if is_border(node) or place not in {**groups, **axes}:
            return value
        if place in groups:
            return rounded(value, groups[place])
        channels = half_scales(weight_grid(value.astype(np.float32), axes[place])[0])
        return rounded(value, np.expand_dims(channels, [a for a in range(value.ndim) if a != axes[place]]))

    return node_by_node(to_fp16(model), feeds(), altered=altered)["sr"]


def rounded(value: np.ndarray, scales: np.ndarray) -> np.ndarray:
    codes = np.clip(np.rint(value.astype(np.float32) / scales.astype(np.float32)), -128, 127)
    return (codes * scales.astype(np.float32)).astype(np.float16)


@rounds_in_fp16
@ends
@pytest.mark.parametrize("steps", [1, 2])
def test_it_computes_what_numpy_does(steps: int, ends: bool) -> None:
    model = composed(steps)
    places = placement(model, "tensorrt", ends=ends)
    expected = by_hand(model, places)
    assert np.array_equal(node_by_node(written(model, places), feeds())["sr"], expected)
    assert np.abs(node_by_node(to_fp16(model), feeds())["sr"] - expected).max() > 0.005


def test_one_wrong_range_would_show() -> None:
    model = composed(1)
    places = placement(model, "tensorrt")
    ranges = exact_ranges(places)
    right = run(insert_qdq(to_fp16(model), ranges, places), feeds())
    for group in places.groups:
        wrong = ranges | {name: (8 * ranges[name][0], 8 * ranges[name][1]) for name in group}
        assert np.abs(run(insert_qdq(to_fp16(model), wrong, places), feeds()) - right).max() > 1e-3, group


def test_a_network_whose_sum_leaves_the_graph_fits_too() -> None:
    model = network("encoder", np.random.default_rng(0))
    del model.graph.node[-1]  # the last ReLU, so that the sum itself is cast for the output
    model.graph.output[0].name = "f"
    places = placement(model, "tensorrt", ends=True)
    assert any(reader.node == "f" for reader in places.readers)
    half = written(model, places)
    assert [n.input[0] for n in half.graph.node if n.output[0] == "f"] == ["f/float16"]
    assert len(pairs(half)) == len(pairs(insert_qdq(model, exact_ranges(places), places)))


def test_a_convolution_that_stays_float32_has_float32_pairs() -> None:
    model = composed(2)
    places = placement(model, "tensorrt")
    kept = next(c.name for c in places.convolutions if c.weight == "denoiser/middle_weight")
    half = insert_qdq(to_fp16(model, keep=[kept]), exact_ranges(places), places)
    node = next(node for node in half.graph.node if node.output[0] == kept)
    assert {types(half)[name] for name in node.input} == {TensorProto.FLOAT}
    assert {finding.severity for finding in lint(half, version="10.3")} == {"note"}


def test_weights_are_stored_once_in_fp16() -> None:
    model = composed(4)
    half = written(model, placement(model, "tensorrt"))
    weights = [tensor for tensor in half.graph.initializer if len(tensor.dims) == 4]
    assert len(weights) == 14 and [t.name for t in weights if t.data_type == TensorProto.FLOAT] == ["decoder/skip"]


# Scales.


def test_scales_are_rounded_to_fp16() -> None:
    assert half_scales(np.float32(0.1)) == np.float16(0.1) and half_scales(np.float32(0.1)).dtype == np.float16


@pytest.mark.parametrize("scale", [0.0, 1e-9, 5e-6, 6e-5])
def test_no_scale_is_subnormal(scale: float) -> None:
    assert half_scales(np.array([scale, 1], np.float32)).tolist() == [SMALLEST_NORMAL, 1]


def test_tiny_weights_and_ranges_leave_no_scale_of_0() -> None:
    model = composed(1)
    weight = next(t for t in model.graph.initializer if t.name == "denoiser/middle_weight")
    weight.CopyFrom(numpy_helper.from_array(1e-6 * numpy_helper.to_array(weight), weight.name))
    places = placement(model, "tensorrt")
    half = insert_qdq(to_fp16(model), dict.fromkeys(places.tensors, (0.0, 1e-5)), places)
    scales = [numpy_helper.to_array(t) for t in half.graph.initializer if t.name.endswith("scale/float16")]
    assert len(scales) > 10 and min(values.min() for values in scales) == SMALLEST_NORMAL
    assert "scale" not in {finding.rule for finding in lint(half, version="10.3")}


# What is refused.


def test_the_flavour_onnxruntime_stays_on_float32() -> None:
    model = composed(1)
    places = placement(model, "onnxruntime")
    with pytest.raises(UsageError, match="FP16, in the flavour onnxruntime; expected float32"):
        insert_qdq(to_fp16(model), exact_ranges(places), places)


def test_fp16_needs_opset_19() -> None:
    model = composed(1)
    places = placement(model, "tensorrt")
    half = to_fp16(model)
    half.opset_import[0].version = 18
    with pytest.raises(UsageError, match="FP16 at opset 18; expected opset 19"):
        insert_qdq(half, exact_ranges(places), places)


def test_activations_beyond_fp16_are_named() -> None:
    model = composed(1)
    places = placement(model, "tensorrt")
    ranges = exact_ranges(places) | {"denoiser0/f": (0.0, 7e4)}
    with pytest.raises(UsageError, match="denoiser0/f: values from 0 to 70000; expected at most 65504"):
        insert_qdq(to_fp16(model), ranges, places)


def test_the_placement_of_another_graph_is_refused() -> None:
    places = placement(composed(2), "tensorrt")
    with pytest.raises(UsageError, match="is not read here.*the placement of this graph"):
        insert_qdq(to_fp16(composed(1)), exact_ranges(places), places)
