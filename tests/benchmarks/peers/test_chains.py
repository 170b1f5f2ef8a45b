"""The published chain in its forms, with an autoencoder of a few channels in the place of the large one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

import torch

from benchmarks.peers import diffusers_pipeline, published_chain, torch_chain
from benchmarks.peers.base import Surroundings
from edge_sr.errors import EnvironmentFault

WHERE = Surroundings(Path("nowhere"), 1)
SMALL = {**published_chain.AUTOENCODER, "block_out_channels": [8] * 4, "layers_per_block": 1, "norm_num_groups": 2}
LR = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(published_chain, "AUTOENCODER", SMALL)  # what is built, not what is counted
    threads = torch.get_num_threads()
    torch_chain.prepared.cache_clear()
    yield
    torch_chain.prepared.cache_clear()
    torch.set_num_threads(threads)


@pytest.mark.parametrize("make", [torch_chain.ddim25, diffusers_pipeline.ddim25])
def test_a_picture_is_made_by_as_many_steps_as_it_says(make) -> None:
    peer = make(WHERE)
    peer.open()
    chain, _ = torch_chain.prepared(torch_chain.EAGER)
    calls = []
    chain.denoiser.register_forward_hook(lambda *given: calls.append(1))
    sr = peer(LR)
    assert (sr.shape, sr.dtype, len(calls)) == ((256, 256), np.uint8, peer.steps)
    assert len(np.unique(sr)) > 5  # a picture, though of nothing


def test_eager_chains_share_their_weights_until_they_are_closed() -> None:
    first, other = torch_chain.ddpm300(WHERE), diffusers_pipeline.ddpm300(WHERE)
    first.open()
    other.open()
    assert other._pipeline is not None and first._chain is not None
    assert other._pipeline.vae is first._chain.autoencoder
    first.close()
    assert other._pipeline.denoiser is not None


def test_the_faster_order_of_memory_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    network = torch.nn.Conv2d(4, 8, 3)

    def ms(candidate: torch.nn.Conv2d, feeds: object) -> float:
        return 1.0 if candidate.weight.is_contiguous(memory_format=torch.channels_last) else 2.0

    monkeypatch.setattr(torch_chain, "_median_ms", ms)
    assert torch_chain.in_faster_order(network, torch.zeros(1, 4, 5, 5)) is True
    assert network.weight.is_contiguous(memory_format=torch.channels_last)
    monkeypatch.setattr(torch_chain, "_median_ms", lambda candidate, feeds: 3.0 - ms(candidate, feeds))
    assert torch_chain.in_faster_order(torch.nn.Conv2d(4, 8, 3), torch.zeros(1, 4, 5, 5)) is False


def test_without_a_compiler_nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    monkeypatch.setattr(torch_chain, "build_chain", lambda: pytest.fail("built"))
    with pytest.raises(EnvironmentFault, match="finds no C\\+\\+ compiler no-such-compiler"):
        torch_chain.ddim25_compiled(WHERE).open()


def test_the_whole_chain_is_counted() -> None:
    peer = torch_chain.ddpm300(WHERE)
    peer.open()
    encoder, decoder, step = 135_287_341_056, 310_019_899_392, 101_400_576
    assert (peer.parameters, peer.macs) == (84_467_083, encoder + decoder + 300 * step)
