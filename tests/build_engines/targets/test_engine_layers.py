"""Counting what the engine inspector tells."""

from __future__ import annotations

import json

from build_engines.targets.engine_layers import layer_types


def test_layers_are_counted_by_type() -> None:
    layers = [{"Name": "conv1", "LayerType": "CaskConvolution"}, {"Name": "r", "LayerType": "Reformat"}]
    assert layer_types(json.dumps({"Layers": layers})) == {"CaskConvolution": 1, "Reformat": 1}


def test_names_alone_still_show_reformats() -> None:
    names = ["conv1 + relu1", "Reformatting CopyNode for Input Tensor 0 to conv1"]
    assert layer_types(json.dumps({"Layers": names})) == {"unknown": 1, "Reformat": 1}


def test_an_engine_without_layers_has_none() -> None:
    assert layer_types("{}") == {}
