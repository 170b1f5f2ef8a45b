"""The projection in other operators: the same up to float32's rounding, and nothing else is touched."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.compose import GraphWriter, _projection  # noqa: E402
from build_engines.tuning.float_projection import for_cpu  # noqa: E402
from edge_sr.image.consistency import ROUNDS, project  # noqa: E402
from tests.build_engines.tuning.eight_bit import computed  # noqa: E402


def projection(channels: int = 1) -> onnx.ModelProto:
    """(picture, lr) -> sr, as ``compose`` writes it."""
    graph = GraphWriter()
    picture = graph.add("Identity", "picture")
    _projection(graph, picture, channels=channels, scale=4, rounds=ROUNDS)
    shapes = {"picture": ["N", channels, 64, 48], "lr": ["N", channels, 16, 12], "sr": ["N", channels, 64, 48]}
    ports = {name: onnx.helper.make_tensor_value_info(name, 1, shape) for name, shape in shapes.items()}
    return graph.model("projection", [ports["picture"], ports["lr"]], ports["sr"], opset=20)


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


@pytest.mark.parametrize("channels", [1, 3])
def test_it_projects_as_before_and_as_numpy_does(channels: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    feeds = {
        "picture": rng.uniform(-0.2, 1.2, (2, channels, 64, 48)).astype(np.float32),
        "lr": rng.random((2, channels, 16, 12), np.float32),
    }
    model = projection(channels)
    rewritten = for_cpu(model)
    expected, result = (computed(each, feeds, tmp_path) for each in (model, rewritten))
    np.testing.assert_allclose(result, expected, atol=2e-6)
    np.testing.assert_allclose(result, project(feeds["picture"], feeds["lr"]), atol=2e-6)


def test_sums_are_products_and_choices_distances() -> None:
    before, after = operators(projection()), operators(for_cpu(projection()))
    assert before["ReduceMean"] == ROUNDS and before["ReduceSum"] == before["Where"] == ROUNDS - 1
    assert not {"ReduceMean", "ReduceSum", "Where"} & after.keys()
    assert after["MatMul"] == 2 * ROUNDS - 1 and after["Abs"] == ROUNDS - 1


def graph(text: str) -> onnx.ModelProto:
    constants = "<float zero = {0.0}, float one = {1.0}, float half = {0.5}, int64[1] at = {1}, int64[1] last = {3}>"
    return onnx.parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 20]> g (float[N,16,8,8] x, bool[N,16,8,8] c) => (float[N,a,b,d] y)'
        f" {constants} {{ {text} }}"
    )


@pytest.mark.parametrize(
    "text",
    [
        "y = ReduceMean(x, last)",
        "y = ReduceMax(x, at)",
        "p = Clip(x, zero, one) q = Sub(half, p) y = Where(c, q, p)",
        "p = Clip(x, zero, half) q = Sub(one, p) y = Where(c, q, p)",
        "p = Clip(x, zero, one) q = Sub(one, x) y = Where(c, q, p)",
    ],
)
def test_what_is_no_projection_stays(text: str) -> None:
    model = graph(text)
    assert for_cpu(model) is model


def test_a_distance_is_the_number_that_was_chosen(tmp_path: Path) -> None:
    model = graph("p = Clip(x, zero, one) q = Sub(one, p) y = Where(c, q, p)")
    assert operators(for_cpu(model))["Abs"] == 1
    rng = np.random.default_rng(0)
    feeds = {"x": rng.uniform(-0.5, 1.5, (1, 16, 8, 8)).astype(np.float32), "c": rng.random((1, 16, 8, 8)) < 0.5}
    assert np.array_equal(*(computed(each, feeds, tmp_path) for each in (model, for_cpu(model))))
