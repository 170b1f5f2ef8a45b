"""What an old ONNX Runtime, the last one for Python 3.10, computes wrongly."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import pytest


def _numbers() -> tuple[int, ...]:
    try:
        return tuple(int(number) for number in version("onnxruntime").split(".")[:2])
    except PackageNotFoundError:
        return (0, 0)


rounds_in_fp16 = pytest.mark.skipif(
    _numbers() < (1, 30), reason="before 1.30 ONNX Runtime truncates in FP16 QuantizeLinear on a CPU"
)
