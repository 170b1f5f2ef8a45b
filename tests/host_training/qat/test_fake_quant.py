"""What PyTorch simulates is what the graph with Q/DQ pairs computes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from build_engines.quantize import FLAVOURS, Placement, grid, insert_qdq, placement, weight_grid
from edge_sr.artifacts.bundle import Bundle
from edge_sr.errors import UsageError
from edge_sr.image.consistency import project
from host_training.fake_quant import (
    RATE,
    FakeQuantised,
    LearntRanges,
    Observed,
    fake_quantised,
    fake_quantised_weight,
    grids,
)
from host_training.nets.edge_model import EdgeModel
from host_training.train_qat import composed, parts_of
from tests.build_engines.quantisable import exact_ranges

both = pytest.mark.parametrize("flavour", list(FLAVOURS))


def run(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """All outputs, node by node as they stand."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(feeds)), strict=True))


def drawn(count: int = 1) -> tuple[Tensor, Tensor]:
    """LR and noise that float32 sums hold exactly."""
    generator = torch.Generator().manual_seed(0)
    lr = torch.randint(0, 257, (count, 1, 64, 64), generator=generator) / 256
    return lr, torch.randint(-128, 129, (count, 4, 32, 32), generator=generator) / 64


@torch.no_grad()
def simulated(model: EdgeModel, ranges: LearntRanges, steps: int, lr: Tensor, noise: Tensor) -> np.ndarray:
    """The chain in PyTorch; the projection is the graph's, which has more rounds than training needs."""
    with FakeQuantised(networks(model), ranges):
        latents = model.unroll(noise, model.encoder(lr), model.table(steps))
        sr = model.decoder(latents, lr)
    return project(sr.numpy(), lr.numpy())


def networks(model: EdgeModel) -> dict[str, nn.Module]:
    return {"encoder": model.encoder, "denoiser": model.denoiser, "decoder": model.decoder}


def places_of(bundle: Bundle, model: EdgeModel, flavour: str, *, steps: int = 1, ends: bool = False) -> Placement:
    return placement(composed(parts_of(bundle), model.table(steps)), flavour, ends=ends)


@both
@pytest.mark.parametrize("steps", [1, 2])
def test_the_simulated_chain_is_the_exported_one(
    thin_bundle: Bundle, thin_model: EdgeModel, flavour: str, steps: int
) -> None:
    lr, noise = drawn()
    float32 = composed(parts_of(thin_bundle), thin_model.table(steps))
    places = placement(float32, flavour, ends=True)  # with its ends quantised, all of its arithmetic is exact
    ranges = LearntRanges(places, exact_ranges(places))
    feeds = {"lr": lr.numpy(), "noise": noise.numpy()}
    got = run(insert_qdq(float32, ranges.by_tensor(), places), feeds)["sr"]
    assert np.abs(got - simulated(thin_model, ranges, steps, lr, noise)).max() <= 1e-5
    assert np.abs(got - run(float32, feeds)["sr"]).mean() > 0.003  # so that there was something to simulate


@both
def test_one_wrong_range_would_show(thin_bundle: Bundle, thin_model: EdgeModel, flavour: str) -> None:
    lr, noise = drawn()
    places = places_of(thin_bundle, thin_model, flavour, ends=True)
    ranges = LearntRanges(places, exact_ranges(places))
    right = simulated(thin_model, ranges, 1, lr, noise)
    for group in range(0, len(places.groups), 5):
        with torch.no_grad():
            ranges.growth[group] = -2 / RATE
        assert np.abs(simulated(thin_model, ranges, 1, lr, noise) - right).max() > 1e-3, places.groups[group]
        with torch.no_grad():
            ranges.growth[group] = 0


@both
def test_first_and_last_convolutions_are_simulated_as_kept_high(
    thin_bundle: Bundle, thin_model: EdgeModel, flavour: str
) -> None:
    lr, noise = drawn()
    float32 = composed(parts_of(thin_bundle), thin_model.table(1))
    places = placement(float32, flavour)
    ranges = LearntRanges(places, exact_ranges(places))
    graph = insert_qdq(float32, ranges.by_tensor(), places)
    got = run(graph, {"lr": lr.numpy(), "noise": noise.numpy()})["sr"]
    # Their sums are rounded, so here and there a code may differ by one.
    assert np.abs(got - simulated(thin_model, ranges, 1, lr, noise)).mean() <= 1e-4


@both
def test_ranges_are_observed_where_the_graph_has_them(thin_bundle: Bundle, thin_model: EdgeModel, flavour: str) -> None:
    lr, noise = drawn()
    graph = composed(parts_of(thin_bundle), thin_model.table(2))
    places = placement(graph, flavour)
    seen: dict[str, tuple[float, float]] = {}
    with torch.no_grad(), Observed(networks(thin_model), places, seen):
        thin_model.upscale(lr, noise, thin_model.table(2))
    graph.graph.output.extend(onnx.helper.make_tensor_value_info(name, 1, None) for name in places.tensors)
    values = run(graph, {"lr": lr.numpy(), "noise": noise.numpy()})
    assert seen.keys() == set(places.tensors)
    for name, limits in seen.items():
        assert limits == pytest.approx((values[name].min(), values[name].max()), rel=1e-5, abs=1e-5)


def test_observing_changes_nothing(thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    lr, noise = drawn()
    table = thin_model.table(1)
    with torch.no_grad(), Observed(networks(thin_model), places_of(thin_bundle, thin_model, "onnxruntime"), {}):
        watched = thin_model.upscale(lr, noise, table)
    with torch.no_grad():
        assert torch.equal(watched, thin_model.upscale(lr, noise, table))


def test_a_tail_may_lie_outside(thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    places = places_of(thin_bundle, thin_model, "onnxruntime")
    ranges: dict[float, dict[str, tuple[float, float]]] = {0.0: {}, 0.01: {}}
    for tail, seen in ranges.items():
        with torch.no_grad(), Observed(networks(thin_model), places, seen, tail=tail):
            thin_model.upscale(*drawn(), thin_model.table(1))
    assert all(ranges[0.01][name][1] < ranges[0.0][name][1] for name in places.tensors)


# The grids.


@both
def test_grids_are_those_of_quantize(flavour: str) -> None:
    rng = np.random.default_rng(0)
    limits = np.sort(rng.normal(0, 3, (200, 2)), axis=1).astype(np.float32)
    limits[0], limits[1] = 0, (0, 2e-38)
    scales, zero_points = grids(torch.from_numpy(limits), FLAVOURS[flavour])
    expected = [grid(float(low), float(high), FLAVOURS[flavour]) for low, high in limits]
    assert [(scale, int(zero)) for scale, zero in zip(scales.numpy(), zero_points, strict=True)] == expected


@both
def test_rounding_is_that_of_onnx(flavour: str) -> None:
    x = np.concatenate([np.random.default_rng(0).normal(0, 2, 4000), np.arange(-600, 600) / 64]).astype(np.float32)
    for limits in ((-3.0, 4.0), (0.0, 255 / 32)):  # the latter has a step of 1/32: every other value is a tie
        scale, zero_point = grid(*limits, FLAVOURS[flavour])
        got = fake_quantised(
            torch.from_numpy(x), torch.tensor(scale), torch.tensor(float(zero_point)), FLAVOURS[flavour]
        )
        assert np.array_equal(got.numpy(), through_onnx(x, scale, FLAVOURS[flavour].dtype(zero_point)))


def through_onnx(x: np.ndarray, scale: np.float32, zero_point: np.integer) -> np.ndarray:
    text = "g (float[N] x) => (float[N] y) { q = QuantizeLinear(x, s, z) y = DequantizeLinear(q, s, z) }"
    model = onnx.parser.parse_model('<ir_version: 10, opset_import: ["" : 20]>' + text)
    for name, value in (("s", scale), ("z", zero_point)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.asarray(value), name))
    return run(model, {"x": x})["y"]


@pytest.mark.parametrize("axis", [0, 1])
def test_weights_have_the_grid_of_quantize(axis: int) -> None:
    weight = np.random.default_rng(0).normal(size=(5, 7, 3, 3)).astype(np.float32)
    weight[2], weight[:, 3] = 0, 0
    scales, codes = weight_grid(weight, axis)
    shaped = scales.reshape([-1 if other == axis else 1 for other in range(4)])
    assert np.array_equal(fake_quantised_weight(torch.from_numpy(weight), axis).numpy(), codes * shaped)


# Learning.


def test_gradients_pass_within_the_range_alone() -> None:
    x = torch.tensor([-9.0, -0.4, 0.3, 1.0, 9.0], requires_grad=True)
    (scale,), (zero_point,) = grids(torch.tensor([[-1.0, 2.0]]), FLAVOURS["onnxruntime"])
    fake_quantised(x, scale, zero_point, FLAVOURS["onnxruntime"]).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [0, 1, 1, 1, 0]


@both
def test_a_range_that_cuts_values_off_is_pulled_wider(thin_bundle: Bundle, thin_model: EdgeModel, flavour: str) -> None:
    places = places_of(thin_bundle, thin_model, flavour)
    ranges = LearntRanges(places, dict.fromkeys(places.tensors, (-0.5, 0.5)))
    scales, zero_points = grids(ranges(), places.flavour)
    x = torch.tensor([-3.0, 4.0])
    (fake_quantised(x, scales[0], zero_points[0], places.flavour) - x).square().sum().backward()
    assert ranges.growth.grad is not None
    assert ranges.growth.grad[0].sum() < 0 and not ranges.growth.grad[1:].any()


def test_a_weight_learns_from_every_step(thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    places = places_of(thin_bundle, thin_model, "onnxruntime", steps=2)
    ranges = LearntRanges(places, exact_ranges(places))
    weight = thin_model.denoiser.middle.conv1.weight
    with FakeQuantised(networks(thin_model), ranges):
        thin_model.upscale(*drawn(), thin_model.table(2)).square().mean().backward()
    assert weight.grad is not None and weight.grad.any()
    assert ranges.growth.grad is not None
    for group, tensors in enumerate(places.groups):
        assert ranges.growth.grad[group].any(), tensors
    for net in networks(thin_model).values():
        net.zero_grad()


def test_ranges_keep_their_signs() -> None:
    graph_free = Placement(FLAVOURS["onnxruntime"], (), (), (("a",), ("b", "c")))
    ranges = LearntRanges(graph_free, {"a": (0.0, 2.0), "b": (-1.0, 1.0), "c": (-4.0, 0.5)})
    with torch.no_grad():
        ranges.growth += torch.tensor([[0.3, -0.01], [0.01, 0.02]])
    table = ranges.by_tensor()
    assert table["a"] == pytest.approx((0.0, 2 * np.exp(-0.01 * RATE)))
    assert table["b"] == table["c"] == pytest.approx((-4 * np.exp(0.01 * RATE), np.exp(0.02 * RATE)))


def test_convolutions_stay_float32_under_autocast(thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    places = places_of(thin_bundle, thin_model, "onnxruntime")
    ranges = LearntRanges(places, exact_ranges(places))
    inner = [name for name, value in thin_model.decoder.named_modules() if name == "up.0"]
    dtypes = []
    handle = thin_model.decoder.up[0].register_forward_hook(lambda *given: dtypes.append(given[-1].dtype))
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16), FakeQuantised(networks(thin_model), ranges):
        thin_model.upscale(*drawn(), thin_model.table(1))
    handle.remove()
    assert inner and dtypes == [torch.float32]


# What is refused.


def test_more_steps_than_the_placement_has_are_refused(thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    places = places_of(thin_bundle, thin_model, "onnxruntime")
    with pytest.raises(UsageError, match="more steps were run"), Observed(networks(thin_model), places, {}):
        thin_model.upscale(*drawn(), thin_model.table(2))


def test_fewer_steps_than_the_placement_has_are_refused(thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    places = places_of(thin_bundle, thin_model, "onnxruntime", steps=2)
    with pytest.raises(UsageError, match="denoiser1/.*was never computed"), Observed(networks(thin_model), places, {}):
        thin_model.upscale(*drawn(), thin_model.table(1))


def test_a_sum_that_was_not_seen_is_refused(thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    """Another way to write the same sum would be computed without its pairs."""
    places = places_of(thin_bundle, thin_model, "onnxruntime")
    block = thin_model.encoder.body[0]
    block.forward = lambda x: torch.stack([x, block.conv2(block.conv1(x).relu())]).sum(0).relu()  # type: ignore[assignment]
    try:
        with (
            pytest.raises(UsageError, match="encoder/.*was never computed"),
            Observed(networks(thin_model), places, {}),
        ):
            thin_model.upscale(*drawn(), thin_model.table(1))
    finally:
        del block.forward


def test_networks_without_a_weight_of_the_graph_are_refused(thin_bundle: Bundle, thin_model: EdgeModel) -> None:
    places = places_of(thin_bundle, thin_model, "onnxruntime")
    with pytest.raises(UsageError, match=r"encoder/body\.0\.conv1\.weight: the networks have no such weight"):
        Observed({"decoder": thin_model.decoder}, places, {})
