"""A feed-forward net of the edge model's cost: the regression that a generative model has to justify itself against."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from host_training.nets.blocks import BicubicPhases, ResBlock, conv3x3


class FeedForward(nn.Module):
    """(N, 1, h, w) in [0, 1] -> (N, 1, 4h, 4w) before projection."""

    def __init__(self, width: int = 64, depth: int = 5) -> None:
        super().__init__()
        self.head = conv3x3(1, width)
        self.body = nn.Sequential(*(ResBlock(width) for _ in range(depth)))
        self.tail = conv3x3(width, 16)
        self.skip = BicubicPhases()

    def forward(self, lr: Tensor) -> Tensor:
        x = self.tail(self.body(F.relu(self.head(lr - 0.5))))
        return F.pixel_shuffle(self.skip(lr) + x.float(), 4)
