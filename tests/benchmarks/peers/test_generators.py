"""A generator as a peer: exported once, counted, and computed by ONNX Runtime as by PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

import torch

from benchmarks.peers import cost, generators
from benchmarks.peers.base import Surroundings
from host_training.nets.rrdb import Rrdb


def small() -> Rrdb:
    return Rrdb(width=4, growth=2, blocks=1)


@pytest.fixture
def peer(tmp_path: Path) -> generators.GeneratorPeer:
    made = generators.GeneratorPeer("small", "small", "one block", small, Surroundings(tmp_path, 1))
    made.open()
    return made


def test_the_picture_is_pytorch_s(peer: generators.GeneratorPeer) -> None:
    torch.manual_seed(0)
    network = small().eval()
    lr = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    with torch.no_grad():
        rgb = network(torch.from_numpy(lr / np.float32(255)).expand(1, 3, 64, 64))
    expected = np.rint(rgb[0].mean(0).clamp(0, 1).numpy() * 255).astype(int)
    sr = peer(lr)
    assert (sr.shape, sr.dtype) == ((256, 256), np.uint8)
    assert np.abs(sr - expected).max() <= 1  # where a value lies at half a grey level


def test_it_is_exported_once(peer: generators.GeneratorPeer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generators, "export", lambda *given: pytest.fail("exported again"))
    peer.close()
    peer.open()
    assert len(list(tmp_path.glob("small-*.onnx"))) == 1


def test_costs_are_counted_without_computing() -> None:
    with cost.uncounted():
        network = torch.nn.Conv2d(3, 8, 3, padding=1)
        assert cost.parameters([network]) == 3 * 8 * 9 + 8
        assert cost.macs(network, torch.empty(1, 3, 10, 20)) == 3 * 8 * 9 * 10 * 20


@pytest.mark.parametrize(("name", "parameters"), [("x4plus", 16_697_987), ("compact", 1_213_296), ("espcn", 37_200)])
def test_the_published_sizes(name: str, parameters: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generators, "export", lambda *given: None)
    monkeypatch.setattr(generators.OnnxRuntime, "open", lambda self, path: None)
    peer = getattr(generators, name)(Surroundings(tmp_path, 1))
    peer.open()
    assert (peer.parameters, peer.random_weights) == (parameters, True)
    assert peer.macs is not None and peer.macs > 1e8
