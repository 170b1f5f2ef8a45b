"""Weights that come back out of ONNX files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from edge_sr.artifacts.bundle import Bundle, default_bundle, file_sha256
from edge_sr.errors import IntegrityError, UsageError
from host_training.from_bundle import load_onnx_weights
from host_training.loop import CONFIGS, read_config
from host_training.nets.edge_model import EdgeModel


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return Bundle.open(default_bundle())


@pytest.mark.parametrize("role", ["encoder", "denoiser", "decoder"])
def test_the_shipped_networks_come_back_as_they_were_exported(shipped: Bundle, role: str) -> None:
    network = getattr(EdgeModel(read_config(CONFIGS / "refine.toml")), role)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert load_onnx_weights(shipped.path(role), network) == file_sha256(shipped.path(role))
    after = network.state_dict()
    assert not any(torch.equal(before[name], after[name]) for name in after if name.endswith("conv1.weight"))


def test_a_file_of_another_network_is_refused(shipped: Bundle) -> None:
    decoder = EdgeModel(read_config(CONFIGS / "refine.toml")).decoder
    with pytest.raises(IntegrityError, match=r"encoder\.onnx: has no head\.0\.weight of this size"):
        load_onnx_weights(shipped.path("encoder"), decoder)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    decoder = EdgeModel(read_config(CONFIGS / "refine.toml")).decoder
    with pytest.raises(UsageError, match=r"none\.onnx: no such file"):
        load_onnx_weights(tmp_path / "none.onnx", decoder)
