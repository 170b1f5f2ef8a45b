"""Forms of an 8-bit convolution: every one gives the same codes, and is what it says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.tuning.convolution_forms import (  # noqa: E402
    AS_IT_IS,
    FORMS,
    Form,
    forms_of,
    in_forms,
    name_nodes,
    nodes_of,
)
from tests.build_engines.tuning.eight_bit import computed, convolutions, pictures  # noqa: E402

OTHERS = [form for form in FORMS if form != AS_IT_IS]


@pytest.mark.parametrize("form", OTHERS, ids=str)
def test_every_form_gives_the_same_codes(form: Form, tmp_path: Path) -> None:
    model = convolutions()
    expected = computed(model, pictures(), tmp_path)
    assert expected.std() > 20  # neither all 0 nor all 255, where everything would be equal
    result = computed(in_forms(model, {"conv0": form, "conv1": form}), pictures(), tmp_path)
    assert np.array_equal(result, expected)


@pytest.mark.parametrize(("side", "pads"), [(34, ""), (32, ", pads=[2,0,0,1]"), (33, ", pads=[0,2,1,1]")])
def test_strips_without_padding_or_with_another_at_each_side(side: int, pads: str, tmp_path: Path) -> None:
    model = convolutions(1, side=side, attributes=f"kernel_shape=[3,3]{pads}")
    form = Form(shifted=True, strips=4)
    assert form in forms_of(model)["conv0"]
    result = computed(in_forms(model, {"conv0": form}), pictures(side=side), tmp_path)
    assert np.array_equal(result, computed(model, pictures(side=side), tmp_path))


def test_a_shift_is_of_codes_and_zero_point() -> None:
    model = convolutions(1)
    shifted = in_forms(model, {"conv0": Form(shifted=True)})
    (node,) = shifted.graph.node
    before, after = (
        {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in each.graph.initializer}
        for each in (model, shifted)
    )
    assert np.array_equal(after[node.input[3]], before["w0"] - 1) and set(after[node.input[5]]) == {-1}
    assert "w0" not in after


def test_strips_are_further_images_of_the_batch() -> None:
    strips = in_forms(convolutions(1), {"conv0": Form(shifted=True, strips=8)})
    assert Counter(node.op_type for node in strips.graph.node) == {
        "Pad": 1,
        "Gather": 1,
        "Reshape": 2,
        "QLinearConv": 1,
    }
    assert [node.name for node in strips.graph.node] == [
        "conv0/padded",
        "conv0/rows",
        "conv0/strips",
        "conv0",
        "conv0/whole",
    ]
    assert set(nodes_of("conv0", Form(shifted=True, strips=8))) == {node.name for node in strips.graph.node}


@pytest.mark.parametrize(
    ("model", "forms"),
    [
        (convolutions(1, kernel=1, attributes="kernel_shape=[1,1]"), FORMS[:2]),
        (convolutions(1, attributes="kernel_shape=[3,3], pads=[1,1,1,1], strides=[2,2]"), FORMS[:2]),
        (convolutions(1, side=28, channels=8), FORMS[:4]),
        (convolutions(1, side=16, channels=8), FORMS[:4]),
    ],
    ids=["one pixel", "in steps", "odd strips", "low strips"],
)
def test_what_cannot_be_cut_is_not(model: onnx.ModelProto, forms: tuple[Form, ...]) -> None:
    assert forms_of(model) == {"conv0": forms}


@pytest.mark.parametrize("name", ["w0", "wz"])
def test_weights_that_are_shifted_or_have_no_room_stay(name: str) -> None:
    model = convolutions(1)
    (tensor,) = (each for each in model.graph.initializer if each.name == name)
    codes = onnx.numpy_helper.to_array(tensor).copy()
    codes.flat[5] = -128
    tensor.CopyFrom(onnx.numpy_helper.from_array(codes, name))
    assert forms_of(model) == {}


def test_channels_first_and_float_convolutions_have_one_form() -> None:
    model = convolutions(1)
    (last,) = (each for each in model.graph.node[0].attribute if each.name == "channels_last")
    last.i = 0
    assert forms_of(model) == {}


def test_nodes_get_the_names_of_what_they_write() -> None:
    model = convolutions()
    model.graph.node[0].name = ""
    name_nodes(model)
    assert [node.name for node in model.graph.node] == ["t0", "conv1"]
