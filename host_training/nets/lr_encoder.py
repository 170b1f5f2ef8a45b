"""The LR encoder: reads the 64x64 picture directly, no upsampling and no large autoencoder in the way."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from host_training.nets.blocks import ResBlock, conv3x3


class LREncoder(nn.Module):
    """Condition of the denoiser: (N, 1, h, w) in [0, 1] -> (N, width, h/2, w/2)."""

    def __init__(self, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        self.head = conv3x3(4, width)
        self.body = nn.Sequential(*(ResBlock(width) for _ in range(depth)))

    def forward(self, lr: Tensor) -> Tensor:
        return self.body(F.relu(self.head(F.pixel_unshuffle(lr - 0.5, 2))))
