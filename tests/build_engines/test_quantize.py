"""Where Q/DQ pairs go, what they do to the numbers, and that ONNX Runtime makes INT8 of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
ort = pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from build_engines.compose import compose  # noqa: E402
from build_engines.quantize import (  # noqa: E402
    FLAVOURS,
    Placement,
    grid,
    insert_qdq,
    placement,
    weight_grid,
)
from edge_sr.artifacts.bundle import Bundle, default_bundle  # noqa: E402
from edge_sr.diffusion.samplers import sampler_table  # noqa: E402
from edge_sr.diffusion.schedule import make_alphas_cumprod  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402
from edge_sr.image.consistency import area_mean  # noqa: E402
from edge_sr.image.phantom import chest_phantom  # noqa: E402
from edge_sr.image.quality import psnr  # noqa: E402
from tests.build_engines.quantisable import composed, exact_ranges, feeds, networks  # noqa: E402

Model = "onnx.ModelProto"
INNER = {  # by the bundle's own names, without the first and last convolutions
    "encoder/body_conv1_weight", "encoder/body_conv2_weight", "denoiser/down_weight", "denoiser/middle_weight",
    "denoiser/up_weight", "denoiser/merge_weight", "denoiser/out_weight", "decoder/body_conv1_weight",
    "decoder/body_conv2_weight", "decoder/up_weight",
}  # fmt: skip
ENDS = {"encoder/head_weight", "decoder/head_weight", "decoder/tail_weight"}
both = pytest.mark.parametrize("flavour", list(FLAVOURS))


def run(model: Model, given: Mapping[str, np.ndarray], *, optimised_as: Path | None = None) -> dict[str, np.ndarray]:
    """All outputs; node by node in float32 unless the optimised graph is wanted."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    if optimised_as is None:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    else:
        options.optimized_model_filepath = str(optimised_as)
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(given)), strict=True))


def observed(model: Model, places: Placement, *runs: Mapping[str, np.ndarray]) -> dict[str, tuple[float, float]]:
    """The least and greatest value of each tensor of the placement."""
    watched = onnx.ModelProto.FromString(model.SerializeToString())
    watched.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in places.tensors)
    values = [run(watched, given) for given in runs]
    return {n: (min(float(v[n].min()) for v in values), max(float(v[n].max()) for v in values)) for n in places.tensors}


def by_weight(places: Placement) -> Counter[str]:
    return Counter(convolution.weight for convolution in places.convolutions)


# Where the pairs go.


@both
@pytest.mark.parametrize("steps", [1, 2])
def test_first_and_last_convolutions_are_kept_high(flavour: str, steps: int) -> None:
    counts = by_weight(placement(composed(steps), flavour))
    assert counts == {name: steps if name.startswith("denoiser") else 1 for name in INNER}


@both
def test_with_its_ends_only_the_skip_is_left(flavour: str) -> None:
    assert set(by_weight(placement(composed(1), flavour, ends=True))) == INNER | ENDS


def test_a_convolution_can_be_kept_high_in_one_step_or_in_all() -> None:
    model = composed(2)
    merged = [c.name for c in placement(model, "tensorrt").convolutions if c.weight == "denoiser/merge_weight"]
    assert by_weight(placement(model, "tensorrt", high=merged[:1]))["denoiser/merge_weight"] == 1
    assert by_weight(placement(model, "tensorrt", high=["denoiser/merge_weight"]))["denoiser/merge_weight"] == 0


@both
def test_the_step_of_a_convolution_is_its_place_among_those_of_its_weight(flavour: str) -> None:
    places = placement(composed(2), flavour)
    data = [c.data for c in places.convolutions if c.weight == "denoiser/middle_weight"]
    assert [name.partition("/")[0] for name in data] == ["denoiser0", "denoiser1"]


@both
def test_every_step_has_its_own_ranges(flavour: str) -> None:
    places = placement(composed(2), flavour)
    for group in places.groups:
        assert len({name.partition("/")[0] for name in group}) == 1
    shared = {reader.group for reader in places.readers if reader.tensor == "encoder/cond"}
    assert len(shared) == 2  # what both steps read, each reads on its own grid


def test_what_pool_and_concat_read_shares_one_range() -> None:
    groups = [set(group) for group in placement(composed(1), "tensorrt").groups]
    assert {"denoiser0/d", "denoiser0/both"} in groups


def test_a_range_is_the_hull_of_its_group() -> None:
    places = placement(composed(1), "tensorrt")
    ranges = dict.fromkeys(places.tensors, (0.0, 1.0)) | {"denoiser0/d": (0.0, 3.0), "denoiser0/both": (-2.0, 2.0)}
    assert (-2.0, 3.0) in places.limits(ranges)


# What is written.


def written(flavour: str, steps: int = 1) -> tuple[Model, Placement]:
    model = composed(steps)
    places = placement(model, flavour)
    return insert_qdq(model, exact_ranges(places), places), places


def writers(model: Model) -> dict[str, onnx.NodeProto]:
    return {name: node for node in model.graph.node for name in node.output}


def constants(model: Model) -> dict[str, np.ndarray]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


@both
def test_ports_opset_and_ir_version_stay(flavour: str) -> None:
    before, (after, _) = composed(1), written(flavour)
    assert [*after.graph.input, *after.graph.output] == [*before.graph.input, *before.graph.output]
    assert after.opset_import == before.opset_import and after.ir_version == before.ir_version == 10
    assert {node.domain for node in after.graph.node} == {""}


@both
def test_weights_are_symmetric_per_output_channel(flavour: str) -> None:
    model, places = written(flavour)
    known, writer = constants(model), writers(model)
    for convolution in places.convolutions:
        node = writer[convolution.name]
        pair = writer[node.input[1]]
        scales, zero_points = (known[name] for name in pair.input[1:])
        axis = {"Conv": 0, "ConvTranspose": 1}[node.op_type]
        shape = constants(composed(1))[convolution.weight].shape
        assert pair.op_type == "DequantizeLinear" and pair.attribute[0].i == axis
        assert scales.shape == zero_points.shape == (shape[axis],)
        assert scales.min() > 0 and zero_points.dtype == np.int8 and not zero_points.any()


@both
def test_biases_stay_float(flavour: str) -> None:
    model, places = written(flavour)
    known, writer = constants(model), writers(model)
    assert all(known[writer[c.name].input[2]].dtype == np.float32 for c in places.convolutions)


@both
def test_activations_have_codes_of_the_flavour(flavour: str) -> None:
    model, _ = written(flavour)
    weights = {name for name in constants(model) if name.endswith("_weight")}
    zero_points = [
        constants(model)[node.input[2]]
        for node in model.graph.node
        if node.op_type == "QuantizeLinear" and node.input[0] not in weights
    ]
    assert {z.shape for z in zero_points} == {()}
    if flavour == "tensorrt":
        assert {z.dtype for z in zero_points} == {np.dtype(np.int8)} and not any(zero_points)
    else:
        assert {z.dtype for z in zero_points} == {np.dtype(np.uint8)} and any(zero_points)


@both
def test_scales_are_equal_around_concat_and_pool(flavour: str) -> None:
    model, _ = written(flavour, steps=2)
    writer = writers(model)
    checked = 0
    for node in model.graph.node:
        sources = [writer.get(name) for name in node.input]
        if node.op_type in ("Concat", "MaxPool") and any(s and s.op_type == "DequantizeLinear" for s in sources):
            behind = [n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] == node.output[0]]
            assert {s.input[1] for s in sources} == {n.input[1] for n in behind}
            checked += 1
    assert checked == 2 * 3  # two Concats and a MaxPool a step


@pytest.mark.parametrize(("flavour", "pairs"), [("tensorrt", 1), ("onnxruntime", 2)])
def test_a_residual_sum_reads_the_branch_quantised(flavour: str, pairs: int) -> None:
    model, places = written(flavour)
    writer = writers(model)
    for convolution in (c for c in places.convolutions if c.skip):
        (total,) = (n for n in model.graph.node if n.op_type == "Add" and convolution.name in source_names(n, writer))
        assert [writer[name].op_type for name in total.input].count("DequantizeLinear") == pairs
    assert sum(bool(c.skip) for c in places.convolutions) == 2


def source_names(node: onnx.NodeProto, writer: Mapping[str, onnx.NodeProto]) -> set[str]:
    """What a node reads, seen through pairs."""
    names = set(node.input)
    for name in node.input:
        if name in writer and writer[name].op_type == "DequantizeLinear":
            names.add(writer[writer[name].input[0]].input[0])
    return names


@pytest.mark.parametrize(("flavour", "most"), [("tensorrt", 1), ("onnxruntime", 2)])
def test_tensorrt_has_a_pair_for_every_reader(flavour: str, most: int) -> None:
    model, _ = written(flavour)
    readers = Counter(name for node in model.graph.node for name in node.input)
    dequantised = [n.output[0] for n in model.graph.node if n.op_type == "DequantizeLinear"]
    assert max(readers[name] for name in dequantised) == most


@both
def test_skip_projection_and_sampler_are_not_touched(flavour: str) -> None:
    before, (after, _) = composed(2), written(flavour, steps=2)
    quantised_readers = {"Conv", "ConvTranspose", "Concat", "MaxPool", "DepthToSpace", "Relu", "Add"}
    plain = {node.output[0]: node for node in before.graph.node if node.op_type not in quantised_readers}
    assert plain == {name: node for name, node in writers(after).items() if name in plain}
    arithmetic = [node for node in after.graph.node if not node.name.count("/")]  # sampler and projection
    assert arithmetic and not any("dequantized" in name for node in arithmetic for name in node.input)
    (skip,) = (node for node in after.graph.node if node.op_type == "Conv" and "lr" in node.input)
    assert list(skip.input) == ["lr", "decoder/skip"]


def test_int8_weights_are_stored_once_for_all_steps() -> None:
    sizes = {steps: written("onnxruntime", steps)[0] for steps in (1, 4)}
    for model in sizes.values():
        assert not any(name in constants(model) for name in INNER)
        assert sum(tensor.dtype == np.int8 and tensor.ndim == 4 for tensor in constants(model).values()) == len(INNER)


@both
def test_the_model_that_came_is_left_alone(flavour: str) -> None:
    model = composed(1)
    before = model.SerializeToString()
    places = placement(model, flavour)
    insert_qdq(model, exact_ranges(places), places)
    assert model.SerializeToString() == before


# What it computes.


def fake(x: np.ndarray, limits: tuple[float, float], flavour: str) -> np.ndarray:
    """Through the grid and back, as numpy computes it."""
    scale, zero_point = grid(*limits, FLAVOURS[flavour])
    codes = np.clip(np.rint(x / scale) + zero_point, FLAVOURS[flavour].lowest, FLAVOURS[flavour].highest)
    return ((codes - zero_point) * scale).astype(np.float32)


def by_hand(model: Model, places: Placement, ranges: Mapping[str, tuple[float, float]]) -> np.ndarray:
    """The float32 graph node by node; what stands at a place goes through its grid first."""
    values = {**feeds(), **constants(model)}
    limits = places.limits(ranges)
    groups = {(reader.node, reader.index): reader.group for reader in places.readers}
    axes = {convolution.name: convolution.axis for convolution in places.convolutions}
    for node in model.graph.node:
        given = {}
        for index, name in enumerate(node.input):
            given[name] = values[name]
            if (node.output[0], index) in groups:
                flavour = places.flavour.name
                given[name] = fake(values[name], limits[groups[node.output[0], index]], flavour)
            if index == 1 and node.output[0] in axes:
                given[name] = through_weight_grid(values[name], axes[node.output[0]])
        (values[node.output[0]],) = ReferenceEvaluator(single(model, node, given)).run(None, given)
    return values["sr"]


def through_weight_grid(weight: np.ndarray, axis: int) -> np.ndarray:
    scales, codes = weight_grid(weight, axis)
    return codes * np.expand_dims(scales, [other for other in range(weight.ndim) if other != axis])


def single(model: Model, node: onnx.NodeProto, given: Mapping[str, np.ndarray]) -> Model:
    types = onnx.helper.np_dtype_to_tensor_dtype
    ports = [onnx.helper.make_tensor_value_info(n, types(np.asarray(v).dtype), np.shape(v)) for n, v in given.items()]
    outputs = [onnx.helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = onnx.helper.make_graph([node], "one", ports, outputs)
    return onnx.helper.make_model(graph, opset_imports=list(model.opset_import))


@both
@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("ends", [False, True])
def test_it_computes_what_numpy_does(flavour: str, steps: int, ends: bool) -> None:
    model = composed(steps)
    places = placement(model, flavour, ends=ends)
    ranges = exact_ranges(places)
    expected = by_hand(model, places, ranges)
    got = run(insert_qdq(model, ranges, places), feeds())["sr"]
    assert np.abs(got - expected).max() <= 1e-6
    assert np.abs(got - run(model, feeds())["sr"]).max() > 0.005  # so that there was something to get wrong


@both
def test_one_wrong_range_would_show(flavour: str) -> None:
    model = composed(1)
    places = placement(model, flavour)
    ranges = exact_ranges(places)
    right = run(insert_qdq(model, ranges, places), feeds())["sr"]
    for group in places.groups:
        wrong = ranges | {name: (8 * ranges[name][0], 8 * ranges[name][1]) for name in group}
        assert np.abs(run(insert_qdq(model, wrong, places), feeds())["sr"] - right).max() > 1e-3, group


def test_halves_are_rounded_to_even() -> None:
    weight = np.array([[[[0.5, 1.5, 2.5, -0.5, 127]]]], np.float32)
    assert weight_grid(weight, 0)[1].ravel().tolist() == [0, 2, 2, 0, 127]


@pytest.mark.parametrize(
    ("limits", "flavour", "expected"),
    [
        ((0.0, 255.0), "onnxruntime", (1.0, 0)),
        ((-127.5, 127.5), "onnxruntime", (1.0, 128)),
        ((2.0, 510.0), "onnxruntime", (2.0, 0)),  # 0 belongs to every range
        ((-254.0, -3.0), "tensorrt", (2.0, 0)),
        ((0.0, 0.0), "onnxruntime", (1.0, 0)),
        ((0.0, 0.0), "tensorrt", (1.0, 0)),  # TensorRT refuses a scale of 0
    ],
)
def test_grids(limits: tuple[float, float], flavour: str, expected: tuple[float, int]) -> None:
    assert grid(*limits, FLAVOURS[flavour]) == expected


def test_a_channel_of_zeros_has_a_scale() -> None:
    scales, codes = weight_grid(np.zeros((2, 1, 1, 1), np.float32), 0)
    assert scales.tolist() == [1, 1] and not codes.any()


# In ONNX Runtime, and on the bundle that ships.


def test_onnx_runtime_computes_convolutions_in_int8(tmp_path: Path) -> None:
    model = composed(2)
    places = placement(model, "onnxruntime")
    quantised = insert_qdq(model, observed(model, places, feeds()), places)
    run(quantised, feeds(), optimised_as=tmp_path / "optimised.onnx")
    operators = Counter(node.op_type for node in onnx.load(tmp_path / "optimised.onnx").graph.node)
    # Not those: two ConvTranspose, for which it has no kernel, and two that are read in float32, by the sampler.
    assert operators["QLinearConv"] == len(places.convolutions) - 2 - 2


def test_a_last_convolution_is_int8_though_what_is_added_to_it_is_not() -> None:
    model = composed(1)
    places = placement(model, "onnxruntime", ends=True)
    tail = places.convolutions[-1]
    assert (tail.weight, tail.skip) == ("decoder/tail_weight", "")
    assert tail.name in places.tensors
    assert tail.name not in placement(model, "tensorrt", ends=True).tensors


@both
def test_the_default_bundle_holds_the_gate_by_plain_calibration(flavour: str) -> None:
    bundle = Bundle.open(default_bundle())
    cumprod = make_alphas_cumprod("linear", 300, rescale_betas_zero_snr=True)
    table = sampler_table("ddim", cumprod, num_inference_steps=1, prediction_type="sample")
    model = compose(*(onnx.load(bundle.path(role)) for role in ("encoder", "denoiser", "decoder")), table=table)
    places = placement(model, flavour)
    runs = [{"lr": phantom(seed), "noise": drawn(seed)} for seed in (0, 1)]
    quantised = insert_qdq(model, observed(model, places, *runs), places)
    given = {"lr": phantom(2), "noise": 0 * drawn(2)}
    assert psnr(run(quantised, given)["sr"], run(model, given)["sr"], data_range=1) >= 48


def phantom(seed: int) -> np.ndarray:
    hr = chest_phantom(seed=seed)[None, None].astype(np.float32) / 255
    return area_mean(hr, 4).astype(np.float32)


def drawn(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, 4, 32, 32)).astype(np.float32)


# What is refused.


def test_an_unknown_flavour_is_refused() -> None:
    with pytest.raises(UsageError, match="no such flavour: openvino.*onnxruntime or tensorrt"):
        placement(composed(1), "openvino")


def test_an_unknown_convolution_is_refused() -> None:
    with pytest.raises(UsageError, match=r"decoder/tial_weight: no convolution"):
        placement(composed(1), "tensorrt", high=["decoder/tial_weight"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda ranges: ranges.pop("denoiser0/d"), "denoiser0/d: no range"),
        (lambda ranges: ranges.update({"denoiser0/d": (0.0, float("nan"))}), "denoiser0/d: range from 0.0 to nan"),
        (lambda ranges: ranges.update({"denoiser0/d": (0.0, float("inf"))}), "two finite numbers"),
        (lambda ranges: ranges.update({"denoiser0/d": (1.0, -1.0)}), "the lower one first"),
    ],
)
def test_unfit_ranges_are_refused(spoil: Callable[[dict[str, tuple[float, float]]], None], message: str) -> None:
    model = composed(1)
    places = placement(model, "tensorrt")
    ranges = exact_ranges(places)
    spoil(ranges)
    with pytest.raises(UsageError, match=message):
        insert_qdq(model, ranges, places)


def test_the_placement_of_another_graph_is_refused() -> None:
    places = placement(composed(2), "tensorrt")
    with pytest.raises(UsageError, match="is not read here.*the placement of this graph"):
        insert_qdq(composed(1), exact_ranges(places), places)


def test_a_placement_with_another_weight_is_refused() -> None:
    parts = networks()
    for tensor in parts["denoiser"].graph.initializer:
        tensor.name = tensor.name.replace("merge", "join")
    for node in parts["denoiser"].graph.node:
        node.input[:] = [name.replace("merge", "join") for name in node.input]
    places = placement(composed(1, parts), "tensorrt")
    with pytest.raises(UsageError, match=r"denoiser/join_weight is not read here"):
        insert_qdq(composed(1), exact_ranges(places), places)
