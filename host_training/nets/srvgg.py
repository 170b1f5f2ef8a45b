"""The compact generator of Real-ESRGAN (SRVGGNetCompact): a plain stack of convolutions at LR size, then a shuffle."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_sr.errors import UsageError
from host_training.nets.blocks import BicubicPhases, conv3x3

ACTIVATIONS, SKIPS = ("prelu", "relu"), ("nearest", "bicubic")


class Srvgg(nn.Module):
    """(N, C, h, w) in [0, 1] -> (N, C, s*h, s*w), at any h and w.

    By default as published, 1,213,296 parameters: a PReLU after each convolution, the picture's own pixels repeated as
    the skip. Each inner convolution begins close to the identity: by PyTorch's own initial weights the picture fades
    away over 34 of them, and some thousand steps of training did not move what comes out.
    skip "bicubic" is ours: the network then sees the picture about zero, and the skip stays float32 in every precision.
    activation "relu" quantises without a multiplication of its own.

    UsageError for another activation or skip.
    """

    def __init__(
        self,
        channels: int = 3,
        scale: int = 4,
        width: int = 64,
        depth: int = 32,
        activation: str = "prelu",
        skip: str = "nearest",
    ) -> None:
        super().__init__()
        for name, value, known in (("activation", activation, ACTIVATIONS), ("skip", skip, SKIPS)):
            if value not in known:
                raise UsageError(f"unknown value {value!r}", where=name, expected=" or ".join(known))
        self.channels, self.scale = channels, scale
        self.head = conv3x3(channels, width)
        self.body = nn.ModuleList(conv3x3(width, width) for _ in range(depth))
        self.tail = conv3x3(width, channels * scale**2)
        prelus = depth + 1 if activation == "prelu" else 0
        self.slopes = nn.ModuleList(nn.PReLU(width) for _ in range(prelus))
        self.skip = BicubicPhases(channels, scale) if skip == "bicubic" else None
        near_identity(self.body)

    def forward(self, lr: Tensor) -> Tensor:
        x = self.head(lr if self.skip is None else lr - 0.5)
        for index, conv in enumerate(self.body):
            x = conv(self.activated(x, index))
        x = self.tail(self.activated(x, len(self.body)))
        if self.skip is None:
            return F.pixel_shuffle(x, self.scale).float() + F.interpolate(lr, scale_factor=self.scale, mode="nearest")
        return F.pixel_shuffle(self.skip(lr) + x.float(), self.scale)

    def activated(self, x: Tensor, index: int) -> Tensor:
        """Through the activation that follows convolution ``index``, the head being number 0."""
        return self.slopes[index](x) if self.slopes else F.relu(x)


@torch.no_grad()
def near_identity(convolutions: nn.ModuleList) -> None:
    """Add the identity to freshly drawn weights, in place; no biases."""
    for conv in convolutions:
        assert isinstance(conv, nn.Conv2d)
        drawn = conv.weight.clone()
        nn.init.dirac_(conv.weight)
        conv.weight.add_(drawn)
        assert conv.bias is not None
        nn.init.zeros_(conv.bias)


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names of SRVGGNetCompact, ``body.0`` to ``body.66``, to those of ``Srvgg``.

    Published, convolutions and PReLUs stand in one list in turn: the head is number 0, the tail the last.
    """
    last = max((int(name.split(".")[1]) for name in state if name.startswith("body.")), default=0)

    def renamed(name: str) -> str:
        place, kind = name.split(".")[1:]
        index = int(place)
        if index % 2:
            return f"slopes.{index // 2}.{kind}"
        if index in (0, last):
            return f"{'tail' if index else 'head'}.{kind}"
        return f"body.{index // 2 - 1}.{kind}"

    return {renamed(name): value for name, value in state.items()}
