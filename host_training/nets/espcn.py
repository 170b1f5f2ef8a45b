"""ESPCN (arXiv 1609.05158), with BatchNorm and a bicubic residual: three convolutions at LR size, a pixel shuffle."""

from __future__ import annotations

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from host_training.nets.blocks import BicubicPhases, conv3x3


class Espcn(nn.Module):
    """(N, C, h, w) in [0, 1] -> (N, C, s*h, s*w) before projection; 37,392 parameters in colour at four times.

    5x5 to 64 channels, 3x3 to 32, 3x3 to C*s^2, BatchNorm and ReLU after the first two; what comes out is added to
    bicubic interpolation.
    """

    def __init__(self, channels: int = 3, scale: int = 4, *, folded: bool = False) -> None:
        """folded: without BatchNorm, as ``folded()`` gives it."""
        super().__init__()
        self.channels, self.scale = channels, scale
        self.conv1 = nn.Conv2d(channels, 64, 5, padding=2)
        self.norm1: nn.Module = nn.Identity() if folded else nn.BatchNorm2d(64)
        self.conv2 = conv3x3(64, 32)
        self.norm2: nn.Module = nn.Identity() if folded else nn.BatchNorm2d(32)
        self.conv3 = conv3x3(32, channels * scale**2)
        for value in self.conv3.parameters():  # begins as bicubic: random ones cost a thousand steps to be rid of
            nn.init.zeros_(value)
        self.skip = BicubicPhases(channels, scale)

    def forward(self, lr: Tensor) -> Tensor:
        x = F.relu(self.norm1(self.conv1(lr)))  # (N, 64, h, w)
        x = F.relu(self.norm2(self.conv2(x)))  # (N, 32, h, w)
        return F.pixel_shuffle(self.skip(lr) + self.conv3(x).float(), self.scale)

    @torch.no_grad()
    def folded(self) -> Espcn:
        """A net that computes what this one does in evaluation mode, its BatchNorm inside the convolutions.

        Of new weights; 37,200 of them in colour at four times. Equal to rounding in float32.
        """
        folded = Espcn(self.channels, self.scale, folded=True)
        weights = OrderedDict(self.conv3.state_dict(prefix="conv3."))
        for number, conv, norm in ((1, self.conv1, self.norm1), (2, self.conv2, self.norm2)):
            weights[f"conv{number}.weight"], weights[f"conv{number}.bias"] = folded_weights(conv, norm)
        folded.load_state_dict(weights)
        return folded.to(self.conv3.weight.device).eval()


def folded_weights(conv: nn.Conv2d, norm: nn.Module) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does both: gain (conv(x) - mean) + shift, gain = weight / sqrt(var + eps).

    In float64, so that the one rounding is that of the result. Without BatchNorm they are the convolution's own.
    """
    assert conv.bias is not None
    if not isinstance(norm, nn.BatchNorm2d):
        return conv.weight, conv.bias
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = (conv.bias.double() - norm.running_mean.double()) * gain + norm.bias.double()
    return (conv.weight.double() * gain[:, None, None, None]).float(), bias.float()
