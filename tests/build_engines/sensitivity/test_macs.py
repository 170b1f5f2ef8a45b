"""Multiply-accumulates of graphs small enough to count by hand."""

from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")

from build_engines.sensitivity.macs import macs  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402
from tests.build_engines.quantisable import composed  # noqa: E402


def test_each_convolution_of_each_step() -> None:
    costs = macs(composed(2))
    assert costs["encoder/c"] == 8 * 8 * 9 * 64  # 8x8 pixels
    assert costs["denoiser0/e"] == costs["denoiser1/e"] == 12 * 8 * 9 * 16
    assert costs["denoiser0/g"] == 12 * 6 * 4 * 16  # transposed: once for each input pixel
    assert sum(name.startswith("denoiser") for name in costs) == 2 * 5


def test_an_open_size_is_refused() -> None:
    model = composed(1)
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "h"
    del model.graph.value_info[:]
    with pytest.raises(UsageError, match="left open"):
        macs(model)
