"""Of bundles, on a board that is not here and on a processor of which nothing is measured but the nodes."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("onnx", reason="graphs are counted")
pytest.importorskip("onnxruntime", reason="nodes are timed")

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import Networks, chain_of
from edge_sr.bench.roofline import THIS_CPU, Device, roofline_of, text_of
from edge_sr.errors import UsageError

HERE = Device(THIS_CPU, "A processor", {"int8": 2.0, "fp32": 0.3}, 100.0, 0.3, None, fuses=False, measured=True)


def networks(bundle: Bundle) -> Networks:
    return Networks.of_bundle(chain_of(bundle))


def test_the_default_bundle_on_a_board_has_every_stage() -> None:
    bundle = Bundle.open(default_bundle())
    found = roofline_of(bundle, networks(bundle), "orin-nano-8gb-15w", "int8")
    stages = found["stages"]
    assert isinstance(stages, list)
    assert [stage["stage"] for stage in stages] == ["encoder", "denoiser", "decoder", "projection"]
    assert found["label"] == "prediction" and found["measured"] is None
    assert json.loads(json.dumps(found, allow_nan=False))["device"]["power_w"] == 15


def test_fewer_bits_lower_the_floor() -> None:
    bundle = Bundle.open(default_bundle())
    found = [
        roofline_of(bundle, networks(bundle), "agx-orin-maxn", each)["floor_ms"] for each in ("fp32", "fp16", "int8")
    ]
    assert found == sorted(found, key=lambda ms: -float(str(ms)))


def test_each_step_costs_a_denoiser() -> None:
    bundle = Bundle.open(default_bundle())
    one, four = (roofline_of(bundle, networks(bundle), "agx-orin-maxn", "fp16", steps=steps) for steps in (1, 4))
    assert isinstance(one["stages"], list) and isinstance(four["stages"], list)
    ratios = [more["operations"] / less["operations"] for less, more in zip(one["stages"], four["stages"], strict=True)]
    assert ratios == [1, 4, 1, 1]


def test_a_generator_is_counted_with_its_projection(generator: Bundle) -> None:
    found = roofline_of(generator, networks(generator), "orin-nano-8gb-15w", "fp16")
    assert isinstance(found["stages"], list)
    assert [stage["stage"] for stage in found["stages"]] == ["generator", "projection"]


def test_this_processor_is_measured_node_by_node(generator: Bundle) -> None:
    found = roofline_of(generator, networks(generator), THIS_CPU, "fp32", threads=1, runs=3, device=HERE)
    assert isinstance(found["measured"], dict) and isinstance(found["nodes"], list)
    assert found["measured"]["runs"] == 3 and found["energy_mj"] is None
    assert all(node["measured_ms"] is not None for node in found["nodes"])
    assert sum(kind["launches"] for kind in found["measured"]["kinds"]) == found["launches"]


def test_networks_of_another_precision_are_refused(generator: Bundle) -> None:
    with pytest.raises(UsageError, match="edge-sr build --precision int8 --backend onnxruntime"):
        roofline_of(generator, networks(generator), THIS_CPU, "int8", device=HERE)


def test_the_text_says_what_is_predicted_and_what_is_measured(generator: Bundle) -> None:
    text = text_of(roofline_of(generator, networks(generator), THIS_CPU, "fp32", threads=1, runs=3, device=HERE))
    assert text.startswith("prediction: tiny-generator 0.0.1, fp32, on A processor")
    assert "measured: " in text and "| Conv |" in text
