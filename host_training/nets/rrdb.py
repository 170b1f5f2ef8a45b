"""The generator of ESRGAN and Real-ESRGAN (RRDBNet; arXiv 1809.00219, 2107.10833), with its published parameter names.

Blocks of three dense blocks of five convolutions, all at a quarter of the output's side, without normalisation.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_sr.errors import UsageError
from host_training.nets.blocks import conv3x3

RESIDUAL_SCALE = 0.2  # of what a block adds: 69 dense blocks in a row would otherwise diverge
SLOPE = 0.2  # of the leaky ReLU
SIDE = 4  # the blocks' side goes into the output's so many times
SCALES = (1, 2, 4)


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees the block's input and all results before it."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(width, growth)
        self.conv2 = conv3x3(width + growth, growth)
        self.conv3 = conv3x3(width + 2 * growth, growth)
        self.conv4 = conv3x3(width + 3 * growth, growth)
        self.conv5 = conv3x3(width + 4 * growth, width)
        for conv in self.children():  # as published: a block begins as little more than nothing
            assert isinstance(conv, nn.Conv2d)
            nn.init.kaiming_normal_(conv.weight)
            conv.weight.data.mul_(0.1)
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        seen = x
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            seen = torch.cat([seen, leaky(conv(seen))], dim=1)
        return x + RESIDUAL_SCALE * self.conv5(seen)


class RRDBlock(nn.Module):
    """Residual in residual: three dense blocks."""

    def __init__(self, width: int, growth: int) -> None:
        super().__init__()
        self.rdb1 = DenseBlock(width, growth)
        self.rdb2 = DenseBlock(width, growth)
        self.rdb3 = DenseBlock(width, growth)

    def forward(self, x: Tensor) -> Tensor:
        return x + RESIDUAL_SCALE * self.rdb3(self.rdb2(self.rdb1(x)))


class Rrdb(nn.Module):
    """(N, C, h, w) in [0, 1] -> (N, C, s*h, s*w); h and w even at scale 2, multiples of 4 at scale 1.

    16,697,987 parameters by default. Below scale 4 the picture is first laid out as four times as many channels at
    half the side, once or twice, so the blocks always work at a quarter of the output's side.

    UsageError for a scale other than 1, 2 or 4.
    """

    def __init__(self, channels: int = 3, scale: int = 4, width: int = 64, growth: int = 32, blocks: int = 23) -> None:
        super().__init__()
        if scale not in SCALES:
            raise UsageError(f"no RRDB of scale {scale}", where="scale", expected="1, 2 or 4")
        self.channels, self.scale = channels, scale
        self.unshuffle = SIDE // scale
        self.conv_first = conv3x3(channels * self.unshuffle**2, width)
        self.body = nn.Sequential(*(RRDBlock(width, growth) for _ in range(blocks)))
        self.conv_body = conv3x3(width, width)
        self.conv_up1 = conv3x3(width, width)
        self.conv_up2 = conv3x3(width, width)
        self.conv_hr = conv3x3(width, width)
        self.conv_last = conv3x3(width, channels)

    def forward(self, lr: Tensor) -> Tensor:
        x = F.pixel_unshuffle(lr, self.unshuffle) if self.unshuffle > 1 else lr
        x = self.conv_first(x)
        x = x + self.conv_body(self.body(x))
        for conv in (self.conv_up1, self.conv_up2):
            x = leaky(conv(F.interpolate(x, scale_factor=2, mode="nearest")))
        x = leaky(self.conv_hr(x))
        with torch.autocast(x.device.type, enabled=False):  # bfloat16 has 1/256 steps near white, and there is no skip
            return self.conv_last(x.float())
