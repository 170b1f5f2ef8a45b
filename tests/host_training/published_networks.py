"""The networks of Real-ESRGAN written down again, with the published names, as references for ours."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import spectral_norm


class Compact(nn.Module):
    """SRVGGNetCompact: convolutions and PReLUs in one list."""

    def __init__(self, channels: int = 3, width: int = 8, depth: int = 2, scale: int = 4) -> None:
        super().__init__()
        self.scale = scale
        layers: list[nn.Module] = [nn.Conv2d(channels, width, 3, 1, 1), nn.PReLU(width)]
        for _ in range(depth):
            layers += [nn.Conv2d(width, width, 3, 1, 1), nn.PReLU(width)]
        self.body = nn.ModuleList([*layers, nn.Conv2d(width, channels * scale**2, 3, 1, 1)])

    def forward(self, x: Tensor) -> Tensor:
        out = x
        for layer in self.body:
            out = layer(out)
        return F.pixel_shuffle(out, self.scale) + F.interpolate(x, scale_factor=self.scale, mode="nearest")


class Discriminator(nn.Module):
    """UNetDiscriminatorSN, with torch's older spectral normalisation."""

    def __init__(self, channels: int = 3, width: int = 8) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(channels, width, 3, 1, 1)
        shapes = [(1, 2, 4), (2, 4, 4), (4, 8, 4), (8, 4, 3), (4, 2, 3), (2, 1, 3), (1, 1, 3), (1, 1, 3)]
        for i, (n_in, n_out, size) in enumerate(shapes, start=1):
            conv = nn.Conv2d(n_in * width, n_out * width, size, 2 if size == 4 else 1, 1, bias=False)
            self.add_module(f"conv{i}", spectral_norm(conv))
        self.conv9 = nn.Conv2d(width, 1, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        def layer(i: int, x: Tensor) -> Tensor:
            return F.leaky_relu(getattr(self, f"conv{i}")(x), 0.2)

        def up(x: Tensor) -> Tensor:
            return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)

        x0 = layer(0, x)
        x1 = layer(1, x0)
        x2 = layer(2, x1)
        x4 = layer(4, up(layer(3, x2))) + x2
        x5 = layer(5, up(x4)) + x1
        x6 = layer(6, up(x5)) + x0
        return self.conv9(layer(8, layer(7, x6)))


def rrdb(state: dict[str, Tensor], x: Tensor, *, scale: int = 4) -> Tensor:
    """RRDBNet as functions of its published state."""

    def conv(name: str, x: Tensor) -> Tensor:
        return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)

    def dense(name: str, x: Tensor) -> Tensor:
        x1 = F.leaky_relu(conv(f"{name}.conv1", x), 0.2)
        x2 = F.leaky_relu(conv(f"{name}.conv2", torch.cat((x, x1), 1)), 0.2)
        x3 = F.leaky_relu(conv(f"{name}.conv3", torch.cat((x, x1, x2), 1)), 0.2)
        x4 = F.leaky_relu(conv(f"{name}.conv4", torch.cat((x, x1, x2, x3), 1)), 0.2)
        return conv(f"{name}.conv5", torch.cat((x, x1, x2, x3, x4), 1)) * 0.2 + x

    feat = conv("conv_first", F.pixel_unshuffle(x, 4 // scale))
    body = feat
    for block in range(sum("rdb1.conv1.weight" in name for name in state)):
        inner = body
        for number in (1, 2, 3):
            inner = dense(f"body.{block}.rdb{number}", inner)
        body = inner * 0.2 + body
    feat = feat + conv("conv_body", body)
    for name in ("conv_up1", "conv_up2"):
        feat = F.leaky_relu(conv(name, F.interpolate(feat, scale_factor=2, mode="nearest")), 0.2)
    return conv("conv_last", F.leaky_relu(conv("conv_hr", feat), 0.2))


def saved(path: Path, state: dict[str, Tensor], *, key: str = "params_ema") -> Path:
    """A ``.pth`` file as its authors write it."""
    torch.save({key: state}, path)
    return path
