"""On an arm64 processor, real or emulated: what it is told to have, and the kernels that are chosen by that."""

from __future__ import annotations

import ctypes
import platform

import numpy as np
import pytest

from edge_sr.device.facts import read_facts

pytestmark = pytest.mark.skipif(platform.machine() != "aarch64", reason="no arm64 processor")

AT_HWCAP = 16  # getauxval(3)
HWCAP_BITS = {"asimd": 1, "asimdhp": 10, "asimddp": 20, "sve": 22}  # arch/arm64/include/uapi/asm/hwcap.h


def test_instructions_are_those_that_the_kernel_tells_programs() -> None:
    getauxval = ctypes.CDLL(None).getauxval
    getauxval.restype, getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    told = {name for name, bit in HWCAP_BITS.items() if getauxval(AT_HWCAP) >> bit & 1}
    facts = read_facts()
    assert facts.machine == "aarch64"
    assert facts.instructions is not None and told == set(HWCAP_BITS) & set(facts.instructions)
    assert ("asimddp" in (facts.cpu_features or ())) == ("asimddp" in told)


def test_int8_products_are_summed_up_exactly() -> None:
    """Sums of u8 x s8 products at their extremes, which saturate where two are added up in 16 bits."""
    onnx, ort = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    node = onnx.helper.make_node("ConvInteger", ["x", "w"], ["y"])
    weight = np.full((8, 64, 3, 3), -128, np.int8)
    weight[::2] = 127
    port = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [port("x", onnx.TensorProto.UINT8, (1, 64, 9, 9))],
        [port("y", onnx.TensorProto.INT32, (1, 8, 7, 7))],
        [onnx.numpy_helper.from_array(weight, "w")],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 19)], ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (sums,) = session.run(None, {"x": np.full((1, 64, 9, 9), 255, np.uint8)})
    assert (sums[0, ::2] == 255 * 127 * 64 * 9).all() and (sums[0, 1::2] == -255 * 128 * 64 * 9).all()
