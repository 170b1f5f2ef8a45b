"""The error of each convolution by itself, against one computed tensor by tensor."""

from __future__ import annotations

import math

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
ort = pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.quantize import FLAVOURS, grid, insert_qdq, placement, weight_grid  # noqa: E402
from build_engines.sensitivity.local_error import local_errors, probed  # noqa: E402
from calibration.collect import Batches, exposed  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402
from tests.build_engines.quantisable import composed, exact_ranges  # noqa: E402
from tests.build_engines.sr_models import opened, pictures  # noqa: E402

BACKEND = OnnxRuntime(1, spinning=False)
both = pytest.mark.parametrize("flavour", list(FLAVOURS))


def measured(model: onnx.ModelProto, quantised: onnx.ModelProto, count: int = 2) -> dict[str, float]:
    shown = pictures(count, tile=16)
    batches = Batches(shown.lr, shown.noise_seeds, (0.0,))
    return local_errors(lambda backend: opened(probed(model, quantised), backend), batches, backend=BACKEND)


@both
def test_every_quantised_convolution_has_a_figure(flavour: str) -> None:
    model = composed(2)
    places = placement(model, flavour)
    found = measured(model, insert_qdq(model, exact_ranges(places), places))
    assert list(found) == [each.name for each in places.convolutions]
    assert all(-50 < figure < 100 for figure in found.values())


def test_it_is_what_a_convolution_makes_of_right_inputs() -> None:
    """denoiser0/h, whose input and weights alone are rounded."""
    model = composed(1)
    places = placement(model, "tensorrt")
    ranges = exact_ranges(places)
    (wanted,) = (each for each in places.convolutions if each.name == "denoiser0/h")
    (reader,) = (each for each in places.readers if each.node == wanted.name)
    values = observed(model, [wanted.data, wanted.name])
    scale, _ = grid(*places.limits(ranges)[reader.group], places.flavour)
    rounded = np.clip(np.rint(values[wanted.data] / scale), -128, 127) * scale
    got = convolved(model, wanted.name, rounded)
    noise = np.sum((got - values[wanted.name]) ** 2)
    expected = 10 * math.log10(np.sum(values[wanted.name] ** 2) / noise)
    found = measured(model, insert_qdq(model, ranges, places), count=1)
    assert found[wanted.name] == pytest.approx(expected, abs=1e-3)


def observed(model: onnx.ModelProto, names: list[str]) -> dict[str, np.ndarray]:
    shown = pictures(1, tile=16)
    session = ort.InferenceSession(exposed(model, names).SerializeToString(), providers=["CPUExecutionProvider"])
    from edge_sr.diffusion.noise import noise_field

    given = {"lr": shown.lr, "noise": noise_field(shown.noise_seeds[0], (4, 8, 8))}
    return dict(zip(names, session.run(names, given), strict=True))


def convolved(model: onnx.ModelProto, name: str, data: np.ndarray) -> np.ndarray:
    """The padded 3x3 convolution in numpy, with the weights on their grid."""
    (node,) = (each for each in model.graph.node if each.output[0] == name)
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    scales, codes = weight_grid(constants[node.input[1]], 0)
    weight, bias = codes * scales[:, None, None, None], constants[node.input[2]]
    padded = np.pad(data, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight) + bias[:, None, None]


@both
def test_a_wrong_range_shows_where_it_is_read_and_nowhere_else(flavour: str) -> None:
    model = composed(1)
    places = placement(model, flavour)
    ranges = exact_ranges(places)
    right = measured(model, insert_qdq(model, ranges, places))
    low, high = ranges["decoder/d"]  # between the two convolutions of a block
    wrong = measured(model, insert_qdq(model, {**ranges, "decoder/d": (64 * low, 64 * high)}, places))
    changed = {name for name in right if abs(wrong[name] - right[name]) > 0.5}
    assert changed == {"decoder/e"} and wrong["decoder/e"] < right["decoder/e"]


@pytest.mark.parametrize(("flavour", "tensor"), [("tensorrt", "decoder/b"), ("onnxruntime", "decoder/e")])
def test_the_pairs_around_a_sum_count(flavour: str, tensor: str) -> None:
    model = composed(1)
    places = placement(model, flavour)
    ranges = exact_ranges(places)
    right = measured(model, insert_qdq(model, ranges, places))
    low, high = ranges[tensor]
    wrong = measured(model, insert_qdq(model, {**ranges, tensor: (64 * low, 64 * high)}, places))
    assert wrong["decoder/e"] < right["decoder/e"] - 5


def test_the_models_that_came_are_left_alone() -> None:
    model = composed(1)
    places = placement(model, "tensorrt")
    quantised = insert_qdq(model, exact_ranges(places), places)
    before = model.SerializeToString(), quantised.SerializeToString()
    probed(model, quantised)
    assert (model.SerializeToString(), quantised.SerializeToString()) == before


def test_a_graph_without_pairs_is_refused() -> None:
    with pytest.raises(UsageError, match="no convolution to look at"):
        measured(composed(1), composed(1))
