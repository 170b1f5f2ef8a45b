"""A feed-forward net of the edge model's cost: the regression that a generative model has to justify itself against."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from host_training.nets.blocks import BicubicPhases, ResBlock, conv3x3


class FeedForward(nn.Module):
    """(N, C, h, w) in [0, 1] -> (N, C, s*h, s*w) before projection, C ``channels``, s ``scale``."""

    def __init__(self, width: int = 64, depth: int = 5, *, channels: int = 1, scale: int = 4) -> None:
        super().__init__()
        self.channels, self.scale = channels, scale
        self.head = conv3x3(channels, width)
        self.body = nn.Sequential(*(ResBlock(width) for _ in range(depth)))
        self.tail = conv3x3(width, channels * scale**2)
        self.skip = BicubicPhases(channels, scale)

    def forward(self, lr: Tensor) -> Tensor:
        x = self.tail(self.body(F.relu(self.head(lr - 0.5))))
        return F.pixel_shuffle(self.skip(lr) + x.float(), self.scale)
