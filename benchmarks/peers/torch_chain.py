"""The published chain in PyTorch as a peer: eager as published, in channels-last order, and compiled."""

from __future__ import annotations

import os
import shutil
import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from functools import cache

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from benchmarks.peers import cost
from benchmarks.peers.base import Surroundings
from benchmarks.peers.published_chain import (
    AUTOENCODER,
    LATENTS,
    NUM_TRAIN_TIMESTEPS,
    PublishedChain,
    build_chain,
    super_resolve,
)
from edge_sr.errors import EnvironmentFault
from host_training.nets.unet_lite import UNetLite

EAGER, CHANNELS_LAST, COMPILED = "eager", "channels-last", "compiled"
CALLS = 3  # by which an order of memory is chosen, after one that warms up
PICTURE = (1, 3, 256, 256)


class ChainPeer:
    """A ``Peer``. mode: EAGER; CHANNELS_LAST for each network that it makes faster; COMPILED does that first."""

    random_weights = True

    def __init__(self, name: str, sampler: str, steps: int, mode: str, where: Surroundings) -> None:
        self.name, self.steps, self.mode = name, steps, mode
        self.title = f"published chain, {steps} {sampler.upper()} steps, {mode}"
        self.about = "AutoencoderKL and UNet-lite, float32"
        self.parameters: int | None = None
        self.macs: int | None = None
        self.backend = f"torch {torch.__version__}, {mode}"
        self._sampler, self._threads = sampler, where.threads
        self._chain: PublishedChain | None = None

    def open(self) -> None:
        self.parameters, self.macs = chain_cost(self.steps)
        torch.set_num_threads(self._threads)
        self._chain, layout = prepared(self.mode)
        if layout:
            self.about += f"; {layout}"
        super_resolve(self._chain, np.zeros((64, 64), np.uint8), num_inference_steps=2, sampler=self._sampler)

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        assert self._chain is not None, "open comes first"
        return super_resolve(self._chain, lr, num_inference_steps=self.steps, sampler=self._sampler)

    def close(self) -> None:
        self._chain = None
        prepared.cache_clear()  # who else is open keeps his


@cache
def prepared(mode: str) -> tuple[PublishedChain, str]:
    """The chain in one of the modes, shared by those that ask for it, and a line about the order of its memory.

    EnvironmentFault where it is to be compiled and there is no compiler.
    """
    if mode == EAGER:
        return build_chain(), ""
    if mode == COMPILED:
        _check_compiler()
    chain = build_chain()
    latents = torch.zeros(LATENTS)
    moved = {
        "encoder": in_faster_order(chain.autoencoder.encoder, torch.zeros(PICTURE)),
        "denoiser": in_faster_order(chain.denoiser, latents, latents, torch.zeros(1, dtype=torch.int64)),
        "decoder": in_faster_order(chain.autoencoder.decoder, latents),
    }
    if mode == COMPILED:
        for network in (chain.autoencoder.encoder, chain.denoiser, chain.autoencoder.decoder):
            network.compile()
    names = [name for name, helps in moved.items() if helps]
    return chain, f"channels-last in {', '.join(names) or 'none'}, where it is faster"


@torch.inference_mode()
def in_faster_order(network: nn.Module, *feeds: Tensor) -> bool:
    """Leave the network's weights in the order of memory that runs faster; True for channels-last."""
    orders = (torch.contiguous_format, torch.channels_last)
    first, last = (_median_ms(_ordered(deepcopy(network), order), feeds) for order in orders)
    if last < first:
        _ordered(network, torch.channels_last)
    return last < first


def _ordered(network: nn.Module, order: torch.memory_format) -> nn.Module:
    moved: nn.Module = network.to(memory_format=order)  # type: ignore[call-overload]  # its stubs leave this one out
    return moved


def _median_ms(network: Callable[..., object], feeds: tuple[Tensor, ...]) -> float:
    taken = []
    for _ in range(1 + CALLS):
        start = time.perf_counter()
        network(*feeds)
        taken.append((time.perf_counter() - start) * 1e3)
    return statistics.median(taken[1:])


def _check_compiler() -> None:
    """Before minutes are spent: torch.compile generates C++ (torch/_inductor/cpp_builder.py)."""
    compiler = os.environ.get("CXX", "g++")
    if shutil.which(compiler) is None:
        raise EnvironmentFault(f"torch.compile finds no C++ compiler {compiler}", hint="apt install g++")


@cache
def chain_cost(steps: int) -> tuple[int, int]:
    """Parameters, and multiply-accumulates of one picture: encoder, so many calls of the denoiser, decoder."""
    with cost.uncounted():
        autoencoder, denoiser = AutoencoderKL(**AUTOENCODER).eval(), UNetLite().eval()
        latents, timestep = torch.empty(LATENTS), torch.zeros(1, dtype=torch.int64)
        macs = cost.macs(autoencoder.encode, torch.empty(PICTURE)) + cost.macs(autoencoder.decode, latents)
        macs += steps * cost.macs(denoiser, latents, latents, timestep)
        return cost.parameters([autoencoder, denoiser]), macs


def ddpm300(where: Surroundings) -> ChainPeer:
    return ChainPeer("published-ddpm300", "ddpm", NUM_TRAIN_TIMESTEPS, EAGER, where)


def ddpm300_channels_last(where: Surroundings) -> ChainPeer:
    return ChainPeer("published-ddpm300-channels-last", "ddpm", NUM_TRAIN_TIMESTEPS, CHANNELS_LAST, where)


def ddpm300_compiled(where: Surroundings) -> ChainPeer:
    return ChainPeer("published-ddpm300-compiled", "ddpm", NUM_TRAIN_TIMESTEPS, COMPILED, where)


def ddim25(where: Surroundings) -> ChainPeer:
    return ChainPeer("published-ddim25", "ddim", 25, EAGER, where)


def ddim25_compiled(where: Surroundings) -> ChainPeer:
    return ChainPeer("published-ddim25-compiled", "ddim", 25, COMPILED, where)
