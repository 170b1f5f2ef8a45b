"""What a network of PyTorch costs, counted without computing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

Shape = tuple[int, ...]


def parameters(networks: Iterable[nn.Module]) -> int:
    """All weights, trained or not."""
    return sum(weight.numel() for network in networks for weight in network.parameters())


def macs(call: Callable[..., object], *feeds: Tensor) -> int:
    """Multiply-accumulates of one call: of its convolutions, matrix products and attention. Run it ``uncounted``."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        call(*feeds)
    return counter.get_total_flops() // 2


def uncounted() -> FakeTensorMode:
    """Within this context tensors have shapes and no numbers, so 84 million weights cost no memory and no time."""
    return FakeTensorMode()
