"""What the networks share: convolutions, a residual block, the bicubic skip, the projection."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SCALE = 4


def conv3x3(in_channels: int, out_channels: int) -> nn.Conv2d:
    """Keeps height and width."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def channels_last(network: nn.Module) -> None:
    """Lay weights out as a CPU with AMX and tensor cores like them; in place."""
    # torch's stub of Module.to knows memory_format only together with a tensor
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class ResBlock(nn.Module):
    """x + conv(relu(conv(x))), then ReLU: no normalisation, so it quantises and fuses without surprises."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv3x3(channels, channels)
        self.conv2 = conv3x3(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


def bicubic_kernel(a: float = -0.75, *, channels: int = 1, scale: int = SCALE) -> Tensor:
    """The phases of bicubic interpolation as one 5x5 convolution in as many groups as channels: (C * s * s, 1, 5, 5).

    Keys' kernel (IEEE ASSP 29(6), 1981) with OpenCV's a = -0.75; phase (i, j) of a channel's block is s*i + j.
    """

    def keys(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return (a + 2) * x**3 - (a + 3) * x**2 + 1
        return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0

    phases = torch.tensor([[keys(tap - ((i + 0.5) / scale - 0.5)) for tap in range(-2, 3)] for i in range(scale)])
    return torch.einsum("iy,jx->ijyx", phases, phases).reshape(scale**2, 1, 5, 5).repeat(channels, 1, 1, 1)


class BicubicPhases(nn.Module):
    """Bicubic interpolation before the pixel shuffle: (N, C, h, w) -> (N, C * s * s, h, w), always in float32."""

    kernel: Tensor

    def __init__(self, channels: int = 1, scale: int = SCALE) -> None:
        super().__init__()
        self.channels = channels
        self.register_buffer("kernel", bicubic_kernel(channels=channels, scale=scale), persistent=False)

    def forward(self, lr: Tensor) -> Tensor:
        with torch.autocast(lr.device.type, enabled=False):
            lr = F.pad(lr.float(), (2, 2, 2, 2), mode="replicate")
            return F.conv2d(lr, self.kernel, groups=self.channels)


def project(sr: Tensor, lr: Tensor, *, scale: int = SCALE) -> Tensor:
    """The first round of ``edge_sr.image.consistency.project``, differentiable: (N, C, s*h, s*w), (N, C, h, w) -> sr.

    The later rounds mend what clipping undid at a few pixels; training does not need them.
    """
    residual = lr - F.avg_pool2d(sr, scale)
    return (sr + F.interpolate(residual, scale_factor=scale, mode="nearest")).clamp(0, 1)
