"""Each pass on a graph of a few nodes, run before and after."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.errors import UsageError

onnx = pytest.importorskip("onnx", reason="graphs are simplified with onnx")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from build_engines.simplify import (  # noqa: E402
    absorb_biases,
    cancel_pixel_shuffles,
    drop_unread,
    fix_reshapes,
    fold_constants,
    share_equal_constants,
    simplify,
)

KERNEL = "float[2,1,1,1] kernel = {2, -3}"
SHIFT = "float[1,2,1,1] shift = {0.5, 0.25}"
COMPUTED = "pair = Concat<axis=1>(x, x) b = ReduceMax<keepdims=0>(pair, axes)"


def parsed(graph: str) -> onnx.ModelProto:
    return onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> {graph}')


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def constants(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def run(model: onnx.ModelProto, *shape: int) -> list[np.ndarray]:
    """The outputs for one picture of a fixed draw."""
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    return [np.asarray(value) for value in ReferenceEvaluator(model).run(None, {"x": x})]


def test_nodes_that_read_constants_alone_are_computed() -> None:
    model = parsed("g (float[2] x) => (float[2] y) <float[2] a = {1, 2}> { s = Add(a, a) t = Exp(s) y = Mul(x, t) }")
    before = run(model, 2)
    fold_constants(model)
    assert operators(model) == ["Mul"]
    np.testing.assert_array_equal(constants(model)["t"], np.exp(np.float32([2, 4])))
    np.testing.assert_array_equal(run(model, 2), before)


def test_a_folded_scalar_stays_a_scalar() -> None:
    # Gather with a vector of one index instead of a scalar would keep an axis that has to go
    model = parsed("g (float[3,2] x) => (float[2] y) <int64 one = {1}> { two = Add(one, one) y = Gather(x, two) }")
    fold_constants(model)
    assert constants(model)["two"].shape == ()
    assert run(model, 3, 2)[0].shape == (2,)


def test_noise_is_no_constant() -> None:
    model = parsed("g (float[2] x) => (float[2] y) { n = RandomNormal<shape=[2]>() y = Add(x, n) }")
    fold_constants(model)
    assert operators(model) == ["RandomNormal", "Add"]


def test_a_default_of_an_input_is_no_constant() -> None:
    model = parsed("g (float[2] x, float[2] a) => (float[2] y) { b = Neg(a) y = Add(x, b) }")
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32([1, 2]), "a"))
    simple = simplify(model)
    assert operators(simple) == ["Neg", "Add"] and list(constants(simple)) == ["a"]


def test_an_output_that_is_left_out_does_not_stop_folding() -> None:
    graph = "g (float[2] x) => (float[2] y) <float[3] a = {2, 1, 2}>"
    model = parsed(graph + " { sorted, first, back = Unique(a) y = Mul(x, sorted) }")
    model.graph.node[0].output[:] = ["sorted", "", "back"]
    fold_constants(model)
    assert operators(model) == ["Mul"] and constants(model)["sorted"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "body",
    [
        "c = Conv(x, kernel) y = Add(c, shift)",
        "c = Conv(x, kernel) y = Add(shift, c)",
        "c = Conv(x, kernel, bias) y = Add(c, shift)",
    ],
)
def test_a_constant_per_channel_becomes_the_bias(body: str) -> None:
    model = parsed(
        f"g (float[1,1,3,3] x) => (float[1,2,3,3] y) <{KERNEL}, {SHIFT}, float[2] bias = {{7, 8}}> {{ {body} }}"
    )
    before = run(model, 1, 1, 3, 3)
    absorb_biases(model)
    assert operators(model) == ["Conv"]
    np.testing.assert_allclose(run(model, 1, 1, 3, 3), before, rtol=1e-6)


@pytest.mark.parametrize(
    ("reason", "outputs", "body"),
    [
        ("two readers", "float[1,2,3,3] y", "c = Conv(x, kernel) s = Add(c, shift) y = Mul(s, c)"),
        ("an output itself", "float[1,2,3,3] y, float[1,2,3,3] c", "c = Conv(x, kernel) y = Add(c, shift)"),
        ("one for all channels", "float[1,2,3,3] y", "c = Conv(x, kernel) y = Add(c, single)"),
        ("a shift that widens", "float[1,2,3,3] y", "c = Conv(x, thin) y = Add(c, shift)"),
        ("one per row", "float[1,2,3,3] y", "c = Conv(x, kernel) y = Add(c, rows)"),
        ("not a constant", "float[1,2,3,3] y", "c = Conv(x, kernel) e = Exp(x) y = Add(c, e)"),
        ("a computed bias", "float[1,2,3,3] y", f"{COMPUTED} c = Conv(x, kernel, b) y = Add(c, shift)"),
        ("behind a ReLU", "float[1,2,3,3] y", "c = Conv(x, kernel) r = Relu(c) y = Add(r, shift)"),
    ],
)
def test_what_is_no_bias_stays_an_addition(reason: str, outputs: str, body: str) -> None:
    weights = f"{KERNEL}, {SHIFT}, float[1,1,1,1] single = {{3}}, float[1,1,1,1] thin = {{2}}"
    more = "float[1,1,3,1] rows = {1,2,3}, int64[3] axes = {0,2,3}"
    model = parsed(f"g (float[1,1,3,3] x) => ({outputs}) <{weights}, {more}> {{ {body} }}")
    before = run(model, 1, 1, 3, 3)
    absorb_biases(model)
    assert "Add" in operators(model), reason
    for after, expected in zip(run(model, 1, 1, 3, 3), before, strict=True):
        np.testing.assert_array_equal(after, expected)


SHUFFLES = "s = DepthToSpace<blocksize=2>(x) d = SpaceToDepth<blocksize=2>(s)"


@pytest.mark.parametrize(("channels", "left"), [(1, ["Neg"]), (2, ["DepthToSpace", "SpaceToDepth", "Neg"])])
def test_pixel_shuffles_cancel_for_one_channel_alone(channels: int, left: list[str]) -> None:
    shape = f"float[1,{4 * channels},2,2]"
    model = parsed(f"g ({shape} x) => ({shape} y) {{ {SHUFFLES} y = Neg(d) }}")
    model.graph.node[0].attribute.append(onnx.helper.make_attribute("mode", "CRD"))  # as PyTorch's pixel_shuffle
    before = run(model, 1, 4 * channels, 2, 2)
    cancel_pixel_shuffles(model)
    drop_unread(model)
    assert operators(model) == left
    np.testing.assert_array_equal(run(model, 1, 4 * channels, 2, 2), before)


def test_shuffles_of_different_blocks_stay() -> None:
    body = "s = DepthToSpace<blocksize=4>(x) d = SpaceToDepth<blocksize=2>(s) y = Neg(d)"
    model = parsed(f"g (float[1,16,1,1] x) => (float[1,4,2,2] y) {{ {body} }}")
    cancel_pixel_shuffles(model)
    assert operators(model) == ["DepthToSpace", "SpaceToDepth", "Neg"]


def test_a_cancelled_shuffle_that_is_the_output_stays() -> None:
    model = parsed(f"g (float[1,4,2,2] x) => (float[1,4,2,2] d) {{ {SHUFFLES} }}")
    simple = simplify(model)
    np.testing.assert_array_equal(run(simple, 1, 4, 2, 2), run(model, 1, 4, 2, 2))


def test_a_relu_goes_before_the_shuffle() -> None:
    model = parsed("g (float[1,4,2,2] x) => (float[1,1,4,4] y) { s = DepthToSpace<blocksize=2>(x) y = Relu(s) }")
    simple = simplify(model)
    assert operators(simple) == ["Relu", "DepthToSpace"]
    np.testing.assert_array_equal(run(simple, 1, 4, 2, 2)[0], run(model, 1, 4, 2, 2)[0])


def test_a_shuffle_that_is_read_twice_stays_before_the_relu() -> None:
    body = "s = DepthToSpace<blocksize=2>(x) r = Relu(s) y = Add(s, r)"
    simple = simplify(parsed(f"g (float[1,4,2,2] x) => (float[1,1,4,4] y) {{ {body} }}"))
    assert operators(simple) == ["DepthToSpace", "Relu", "Add"]


GROUP_NORM = "flat = Reshape(x, groups) n = InstanceNormalization(flat, one, one) s = Shape(x) y = Reshape(n, s)"


def test_a_computed_shape_with_a_free_batch_alone_becomes_a_constant() -> None:
    constants = "<int64[3] groups = {0, 2, -1}, float[2] one = {1, 1}>"
    model = parsed(f"g (float[N,4,3,3] x) => (float[N,4,3,3] y) {constants} {{ {GROUP_NORM} }}")
    before = [run(model, batch, 4, 3, 3) for batch in (1, 3)]
    fix_reshapes(model)
    drop_unread(model)
    assert operators(model) == ["Reshape", "InstanceNormalization", "Reshape"]
    for batch, expected in zip((1, 3), before, strict=True):
        np.testing.assert_array_equal(run(model, batch, 4, 3, 3), expected)


def test_a_shape_with_another_free_axis_stays_computed() -> None:
    constants = "<int64[3] groups = {0, 2, -1}, float[2] one = {1, 1}>"
    model = parsed(f"g (float[N,4,H,3] x) => (float[N,4,H,3] y) {constants} {{ {GROUP_NORM} }}")
    fix_reshapes(model)
    assert operators(model).count("Shape") == 1 and model.graph.node[-1].input[1] == "s"


def test_equal_constants_become_one() -> None:
    weights = "float[2] a = {1, 2}, float[2] b = {1, 2}, float[1,2] c = {1, 2}, float[2] d = {1, 3}"
    model = parsed(
        f"g (float[1,2] x) => (float[1,2] y) <{weights}> {{ p = Add(x, a) q = Mul(p, b) r = Sub(q, c) y = Div(r, d) }}"
    )
    before = run(model, 1, 2)
    share_equal_constants(model)
    assert list(constants(model)) == ["a", "c", "d"]  # another shape or value is another constant
    np.testing.assert_array_equal(run(model, 1, 2), before)


def test_equal_bytes_of_different_types_stay_apart() -> None:
    weights = "float[1] a = {0}, int32[1] b = {0}"
    model = parsed(f"g (float[1] x) => (float[1] y) <{weights}> {{ f = Cast<to=1>(b) s = Add(a, f) y = Add(x, s) }}")
    share_equal_constants(model)
    assert list(constants(model)) == ["a", "b"]


def test_what_nothing_reads_is_dropped() -> None:
    weights = "float[2] a = {1, 2}, float[2] b = {3, 4}"
    model = parsed(f"g (float[2] x) => (float[2] y) <{weights}> {{ lost = Mul(x, b) y = Add(x, a) more = Exp(lost) }}")
    drop_unread(model)
    assert operators(model) == ["Add"] and list(constants(model)) == ["a"]


def test_inputs_and_outputs_that_are_left_out_do_not_read_each_other() -> None:
    model = parsed("g (float[2] x) => (float[2] y) <float top = {1}> { lost, mask = Dropout(x) y = Clip(x, top, top) }")
    model.graph.node[0].output[1] = ""
    model.graph.node[1].input[1] = ""
    drop_unread(model)
    assert operators(model) == ["Clip"]


def test_an_output_that_folds_to_a_constant_survives() -> None:
    weights = "float[2] a = {1, 2}, float[2] twin = {2, 4}"
    graph = f"g (float[2] x) => (float[2] y, float[2] two, float[2] too) <{weights}>"
    model = parsed(graph + " { two = Add(a, a) too = Add(a, a) s = Add(x, twin) y = Mul(s, two) }")
    before = run(model, 2)
    simple = simplify(model)
    assert operators(simple) == ["Add", "Mul"] and set(constants(simple)) == {"two", "too"}
    np.testing.assert_array_equal(run(simple, 2), before)


def test_an_input_that_is_passed_through_survives() -> None:
    model = parsed("g (float[2] x) => (float[2] y, float[2] x) { y = Neg(x) }")
    simple = simplify(model)
    assert [port.name for port in simple.graph.output] == ["y", "x"]
    np.testing.assert_array_equal(run(simple, 2), run(model, 2))


def test_the_model_that_came_is_left_alone() -> None:
    model = parsed("g (float[2] x) => (float[2] y) <float[2] a = {1, 2}> { s = Add(a, a) y = Mul(x, s) }")
    before = model.SerializeToString()
    assert simplify(model).SerializeToString() != before
    assert model.SerializeToString() == before


def test_control_flow_is_refused() -> None:
    port = onnx.helper.make_tensor_value_info("p", 1, [2])
    body = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["p"])], "body", [], [port])
    fork = onnx.helper.make_node("If", ["c"], ["y"], name="fork", then_branch=body, else_branch=body)
    model = parsed("g (float[2] x, bool c) => (float[2] y) { y = Neg(x) }")
    model.graph.node[0].CopyFrom(fork)
    with pytest.raises(UsageError, match="fork: control flow: If"):
        simplify(model)
