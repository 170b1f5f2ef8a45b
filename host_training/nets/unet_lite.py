"""UNet-lite: the published denoiser, and the same block design as the edge model uses it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from host_training.nets.blocks import conv3x3

EMBEDDING, HIDDEN = 256, 512


def sinusoidal_embedding(timestep: Tensor, dim: int = EMBEDDING) -> Tensor:
    """(B,) int64 -> (B, dim) float32, sines then cosines at dim/2 frequencies (arXiv 1706.03762, section 3.5)."""
    frequencies = torch.exp(torch.arange(dim // 2, device=timestep.device) * (-math.log(10_000.0) / (dim // 2 - 1)))
    angles = timestep.float()[:, None] * frequencies[None]
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class TimedBlock(nn.Module):
    """Two 3x3 convolutions with ReLU; the time embedding joins after the first.

    time_after_relu: as published. False adds it before the ReLU, where it folds into the convolution's bias once the
    timestep is a constant.
    """

    def __init__(self, in_channels: int, out_channels: int, *, time_after_relu: bool) -> None:
        super().__init__()
        self.conv1 = conv3x3(in_channels, out_channels)
        self.conv2 = conv3x3(out_channels, out_channels)
        self.time = nn.Linear(EMBEDDING, out_channels)
        self.time_after_relu = time_after_relu

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        shift = self.time(embedding)[:, :, None, None]
        x = self.conv1(x)
        x = F.relu(x) + shift if self.time_after_relu else F.relu(x + shift)
        return F.relu(self.conv2(x))


class UNetLite(nn.Module):
    """Three levels with max-pooling, transposed 2x2 convolutions and skip connections.

    Published: 8 channels in (noisy latents and encoded condition), 4 out, widths 32/64/128, 813,220 parameters.
    """

    def __init__(
        self,
        in_channels: int = 8,
        out_channels: int = 4,
        widths: Sequence[int] = (32, 64, 128),
        *,
        time_after_relu: bool = True,
    ) -> None:
        super().__init__()
        w1, w2, w3 = widths

        def block(n_in: int, n_out: int) -> TimedBlock:
            return TimedBlock(n_in, n_out, time_after_relu=time_after_relu)

        self.time_mlp = nn.Sequential(nn.Linear(EMBEDDING, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, EMBEDDING))
        self.down1, self.down2, self.middle = block(in_channels, w1), block(w1, w2), block(w2, w3)
        self.up2, self.merge2 = nn.ConvTranspose2d(w3, w2, 2, stride=2), block(2 * w2, w2)
        self.up1, self.merge1 = nn.ConvTranspose2d(w2, w1, 2, stride=2), block(2 * w1, w1)
        self.out = nn.Conv2d(w1, out_channels, 1)

    def forward(self, latents: Tensor, cond: Tensor, timestep: Tensor) -> Tensor:
        """(N, 4, h, w), (N, C, h, w), (1,) or (N,) int64 -> (N, 4, h, w); h and w are multiples of 4."""
        embedding = self.time_mlp(sinusoidal_embedding(timestep))
        x1 = self.down1(torch.cat([latents, cond], dim=1), embedding)
        x2 = self.down2(F.max_pool2d(x1, 2), embedding)
        x = self.middle(F.max_pool2d(x2, 2), embedding)
        x = self.merge2(torch.cat([self.up2(x), x2], dim=1), embedding)
        x = self.merge1(torch.cat([self.up1(x), x1], dim=1), embedding)
        return self.out(x)
