"""The edge autoencoder: one channel, f=8, four latent channels; the decoder also sees LR.

Because the decoder is given the LR picture, the latents carry only what LR lacks. The encoder is used in training
alone; the decoder is most of what a device computes, so it works at 32x32 and 64x64 and shuffles pixels at the end.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from host_training.nets.blocks import BicubicPhases, ResBlock, conv3x3

LATENT_CHANNELS = 4
DETAIL_GAIN = 32.0  # one over the standard deviation of chest radiographs within 4x4 blocks of 256x256


class HREncoder(nn.Module):
    """Ground truth to latents: (N, 1, H, W) in [0, 1] -> (N, 4, H/8, W/8), about unit variance.

    It sees what LR lacks: each 4x4 block without its mean, amplified to about unit variance. Given the plain picture,
    brightness would fill the latents and the detail drown in the noise that training adds to them.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.net = nn.Sequential(
            conv3x3(16, width),
            nn.ReLU(),
            ResBlock(width),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.ReLU(),
            ResBlock(2 * width),
            ResBlock(2 * width),
            conv3x3(2 * width, LATENT_CHANNELS),
        )

    def forward(self, hr: Tensor) -> Tensor:
        blocks = F.pixel_unshuffle(hr, 4)
        return self.net((blocks - blocks.mean(1, keepdim=True)) * DETAIL_GAIN)


class Decoder(nn.Module):
    """Latents and LR to the picture before projection: (N, 4, h/2, w/2), (N, 1, h, w) -> (N, 1, 4h, 4w).

    The network adds to a bicubic skip that stays float32 in every precision.
    """

    def __init__(self, width: int = 64, depth: int = 2) -> None:
        super().__init__()
        self.head = nn.Sequential(conv3x3(LATENT_CHANNELS + 4, width), nn.ReLU(), ResBlock(width))
        self.up = nn.Sequential(conv3x3(width, 4 * width), nn.PixelShuffle(2), nn.ReLU())
        self.body = nn.Sequential(*(ResBlock(width) for _ in range(depth)))
        self.tail = conv3x3(width, 16)
        self.skip = BicubicPhases()

    def forward(self, latents: Tensor, lr: Tensor) -> Tensor:
        x = self.head(torch.cat([latents, F.pixel_unshuffle(lr - 0.5, 2)], dim=1))
        x = self.tail(self.body(self.up(x)))
        return F.pixel_shuffle(self.skip(lr) + x.float(), 4)
