"""What the published report names as future work: a deeper UNet, and cross-attention between HR latents and LR.

Both keep UNet-lite's block, its time embedding and its ports. Neither was published, so their sizes are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from host_training.nets.blocks import conv3x3
from host_training.nets.unet_lite import EMBEDDING, HIDDEN, TimedBlock, sinusoidal_embedding


class Stage(nn.Module):
    """A block that changes the number of channels, then residual ones that keep it."""

    def __init__(self, in_channels: int, out_channels: int, depth: int, *, time_after_relu: bool) -> None:
        super().__init__()
        sizes = [in_channels] + [out_channels] * depth
        self.blocks = nn.ModuleList(
            TimedBlock(n_in, n_out, time_after_relu=time_after_relu) for n_in, n_out in pairwise(sizes)
        )

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        first, *others = self.blocks
        x = first(x, embedding)
        for block in others:
            x = x + block(x, embedding)
        return x


class CrossAttention(nn.Module):
    """HR's latents ask, LR's answer: x + out(softmax(q(x) k(lr)^T / sqrt(d)) v(lr)) (arXiv 1706.03762, section 3.2).

    Each of its heads has d = channels / heads. It starts as the identity.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_x, self.norm_lr = nn.GroupNorm(1, channels), nn.GroupNorm(1, channels)
        self.q, self.kv = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        for value in self.out.parameters():
            nn.init.zeros_(value)

    def forward(self, x: Tensor, lr: Tensor) -> Tensor:
        """(N, C, h, w) twice -> (N, C, h, w); any position of x may look at any of lr."""

        def tokens(maps: Tensor) -> Tensor:
            return maps.unflatten(1, (self.heads, -1)).flatten(3).transpose(2, 3)  # (N, heads, h*w, d)

        k, v = self.kv(self.norm_lr(lr)).chunk(2, dim=1)
        seen = F.scaled_dot_product_attention(tokens(self.q(self.norm_x(x))), tokens(k), tokens(v))
        return x + self.out(seen.transpose(2, 3).flatten(1, 2).unflatten(2, x.shape[2:]))


class DeepUNet(nn.Module):
    """UNet-lite with more levels and more blocks a level: (64, 128, 256, 256) and two have 10,212,036 parameters."""

    def __init__(
        self,
        in_channels: int = 8,
        out_channels: int = 4,
        widths: Sequence[int] = (64, 128, 256, 256),
        depth: int = 2,
        *,
        time_after_relu: bool = True,
    ) -> None:
        super().__init__()

        def stage(n_in: int, n_out: int) -> Stage:
            return Stage(n_in, n_out, depth, time_after_relu=time_after_relu)

        self.time_mlp = nn.Sequential(nn.Linear(EMBEDDING, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, EMBEDDING))
        finer, coarser = list(widths[:-1]), list(widths[1:])
        self.down = nn.ModuleList(stage(n_in, n_out) for n_in, n_out in zip([in_channels, *finer], widths, strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(c, f, 2, stride=2) for f, c in zip(finer, coarser, strict=True))
        self.merge = nn.ModuleList(stage(2 * width, width) for width in finer)
        self.out = nn.Conv2d(widths[0], out_channels, 1)

    def forward(self, latents: Tensor, cond: Tensor, timestep: Tensor) -> Tensor:
        """(N, 4, h, w), (N, C, h, w), (1,) or (N,) int64 -> (N, 4, h, w); h and w divide by 2^(levels - 1)."""
        embedding = self.time_mlp(sinusoidal_embedding(timestep))
        x, skips = torch.cat([latents, cond], dim=1), []
        for level, stage in enumerate(self.down):
            x = stage(F.max_pool2d(x, 2) if level else x, embedding)
            skips.append(x := self.attended(x, cond, level))
        for level in reversed(range(len(self.merge))):
            x = self.merge[level](torch.cat([self.up[level](x), skips[level]], dim=1), embedding)
        return self.out(x)

    def attended(self, x: Tensor, cond: Tensor, level: int) -> Tensor:
        """A level's features on the way down; this net leaves them as they are."""
        return x


class CrossAttentionUNet(DeepUNet):
    """UNet-lite's levels and widths with cross-attention to LR below the first: 903,780 parameters.

    LR stays in the input too: concatenation says what is where, attention finds what looks alike elsewhere. The first
    level has none; its positions are four times as many, and the cost grows with their square.
    """

    def __init__(
        self,
        in_channels: int = 8,
        out_channels: int = 4,
        widths: Sequence[int] = (32, 64, 128),
        depth: int = 1,
        *,
        heads: int = 4,
        time_after_relu: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, widths, depth, time_after_relu=time_after_relu)
        self.of_lr = nn.ModuleList(conv3x3(in_channels - out_channels, width) for width in widths[1:])
        self.attention = nn.ModuleList(CrossAttention(width, heads) for width in widths[1:])

    def attended(self, x: Tensor, cond: Tensor, level: int) -> Tensor:
        if level == 0:
            return x
        lr = F.relu(self.of_lr[level - 1](F.avg_pool2d(cond, 2**level)))
        return self.attention[level - 1](x, lr)
