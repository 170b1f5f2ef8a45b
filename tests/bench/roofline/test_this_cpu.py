from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="the graphs that are measured are written with onnx")
pytest.importorskip("onnxruntime", reason="what it attains is measured")

from edge_sr.bench.roofline.this_cpu import measure_this_cpu


def test_a_processor_is_measured_in_every_respect() -> None:
    device = measure_this_cpu(1, seconds=0.001)
    assert set(device.tops) == {"int8", "fp32"} and min(device.tops.values()) > 0
    assert device.gb_s > 0 and device.launch_us >= 0
    assert device.measured and not device.fuses and device.power_w is None
    assert all(source.startswith("measured: ") for source in device.sources.values())
    assert device.title.endswith("1 thread")
