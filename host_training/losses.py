"""What training minimises: distances of pictures, an energy score over samples, LPIPS, what a discriminator says."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from edge_sr.errors import EnvironmentFault
from host_training.nets.blocks import channels_last

WINDOWS = (2, 8, 32)  # pixels

Distance = Callable[[Tensor, Tensor], Tensor]
"""Two batches (N, C, H, W) -> scalar."""


def window_distance(a: Tensor, b: Tensor, *, windows: Sequence[int] = WINDOWS) -> Tensor:
    """Root mean squared difference within square windows of these sizes, averaged: (N, C, H, W) twice -> scalar.

    A norm (not its square) over small patches: with it the energy score below is a proper scoring rule for how pixels
    vary together, and its deterministic form estimates a spatial median.
    """
    squared = (a - b).square().mean(1, keepdim=True)
    return torch.stack([(F.avg_pool2d(squared, k, k) + 1e-10).sqrt().mean() for k in windows]).mean()


def picture_distance(a: Tensor, b: Tensor, *, squared: float) -> Tensor:
    """The window distance plus ``squared`` times the mean squared error.

    The window distance alone is ruled by the smoothest windows, where noise is all there is; a net that has not found
    its feet then learns to add nothing and stays there.
    """
    return window_distance(a, b) + squared * F.mse_loss(a, b)


def energy_score(first: Tensor, second: Tensor, truth: Tensor, *, spread: float, distance: Distance) -> Tensor:
    """E d(x, y) - spread/2 E d(x, x') from two samples of one posterior (Gneiting and Raftery 2007, eq. 21).

    spread 1 is the proper score: its minimum is the posterior itself. spread 0 asks for the central estimate, values
    between shrink the samples towards it: the fidelity knob.
    """
    error = (distance(first, truth) + distance(second, truth)) / 2
    return error - spread / 2 * distance(first, second)


HAAR_SIDES = (2, 4, 8)


def haarpsi_distance(sr: Tensor, hr: Tensor, *, c: float = 5.0, alpha: float = 4.9) -> Tensor:
    """1 - HaarPSI_MED, differentiable: (N, 1, H, W) in [0, 1] twice, H and W even -> scalar; always in float32.

    The similarity of ``edge_sr.image.quality.haarpsi`` (arXiv 1607.06140; constants of arXiv 2410.24098), pooled over
    the batch. It was tuned on radiologists' ratings and asks for edges of the right height, where a squared error is
    content with blurred ones.
    """
    with torch.autocast(sr.device.type, enabled=False):
        pictures = torch.cat([sr, hr]).float() * 255
        fine, middle = (haar_magnitudes(pictures, side) for side in HAAR_SIDES[:2])
        coarse = haar_magnitudes(pictures.detach(), HAAR_SIDES[2])
    likeness = (likeness_of_halves(fine, c) + likeness_of_halves(middle, c)) / 2
    weight = torch.maximum(*coarse.chunk(2))
    mean = (weight * torch.sigmoid(alpha * likeness)).sum() / weight.sum().clamp_min(1e-6)
    return 1 - (torch.logit(mean, eps=1e-6) / alpha).square()


def haar_magnitudes(pictures: Tensor, side: int) -> Tensor:
    """(N, 1, H, W) -> (N, 2, H/2 + 1, W/2 + 1): absolute undecimated Haar coefficients of the halved pictures.

    Of a kernel of ``side`` pixels, a power of two: first across columns, then across rows.
    """
    half = F.pad(F.avg_pool2d(pictures.float(), 2), [side // 2] * 4)

    def edges(along: int, across: int) -> Tensor:
        sums = running_sums(running_sums(half, side, across), side // 2, along)
        before, behind = (sums.narrow(along, at, sums.shape[along] - side // 2) for at in (0, side // 2))
        return before - behind

    return torch.cat([edges(-1, -2), edges(-2, -1)], dim=1).abs() / side


def running_sums(x: Tensor, count: int, dim: int) -> Tensor:
    """Of ``count`` neighbours along a dimension, a power of two; that becomes count - 1 shorter.

    By doubling: a convolution with a single channel takes five times as long to differentiate.
    """
    while count > 1:
        count //= 2
        length = x.shape[dim] - count
        x = x.narrow(dim, 0, length) + x.narrow(dim, count, length)
    return x


def likeness_of_halves(magnitudes: Tensor, c: float) -> Tensor:
    """The first half of a batch against the second, position by position; 1 where equal."""
    a, b = magnitudes.chunk(2)
    return (2 * a * b + c) / (a.square() + b.square() + c)


def lpips_weights(data_dir: Path) -> Path:
    """The file that EDGE_SR_LPIPS names, else the one in the data folder."""
    named = os.environ.get("EDGE_SR_LPIPS")
    return Path(named) if named else data_dir / "lpips" / "lpips_squeeze_v0.1.safetensors"


class Fire(nn.Module):
    """SqueezeNet's block (arXiv 1602.07360), with torchvision's parameter names."""

    def __init__(self, in_channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(in_channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.squeeze(x))
        return F.relu(torch.cat([self.expand1x1(x), self.expand3x3(x)], dim=1))


class Lpips(nn.Module):
    """LPIPS v0.1, net squeeze (arXiv 1801.03924), as a differentiable loss on pictures in [0, 1], grey or RGB.

    weights: a safetensors file with ``features.*`` and ``lin0..lin6.weight``, EnvironmentFault where there is none.
    Nothing of it enters a bundle.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__()

        def pool() -> nn.Module:
            return nn.MaxPool2d(3, 2, ceil_mode=True)

        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), pool(), Fire(64, 16, 64), Fire(128, 16, 64), pool(),
            Fire(128, 32, 128), Fire(256, 32, 128), pool(), Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256),
            Fire(512, 64, 256),
        )  # fmt: skip
        self.taps = (1, 4, 7, 9, 10, 11, 12)
        if not weights.is_file():
            raise EnvironmentFault(
                "no LPIPS weights here",
                where=weights,
                expected="lpips/ of the data folder",
                hint="export EDGE_SR_LPIPS=FILE",
            )
        state = load_file(weights)
        self.features.load_state_dict({k.removeprefix("features."): v for k, v in state.items() if "features" in k})
        self.heads = [state[f"lin{i}.weight"].reshape(1, -1, 1, 1) for i in range(len(self.taps))]
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        channels_last(self)

    def layers(self, pictures: Tensor) -> list[Tensor]:
        """(N, 1 or 3, H, W) -> the tapped feature maps, each position of unit length over the channels."""
        x, out = ((pictures - self.mean) / self.std).contiguous(memory_format=torch.channels_last), []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                out.append(F.normalize(x, dim=1))
        return out

    def between(self, a: list[Tensor], b: list[Tensor]) -> Tensor:
        """The distance of two batches whose feature maps are known: scalar, the batch mean."""
        per_layer = [
            F.conv2d((x - y).square(), head.to(x)).float().mean() for x, y, head in zip(a, b, self.heads, strict=True)
        ]
        return torch.stack(per_layer).sum()

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """(N, 1 or 3, H, W) twice -> scalar, the batch mean."""
        return self.between(self.layers(sr), self.layers(hr))

    def score(self, first: Tensor, second: Tensor, truth: Tensor, *, spread: float) -> Tensor:
        """``energy_score`` with LPIPS as the distance, each picture's features computed once.

        LPIPS is a squared distance: at spread 1 it asks that the features are right on average and is indifferent to
        how far samples lie apart; at 0 it asks for one typical picture and pulls them together.
        """
        x, y, z = self.layers(first), self.layers(second), self.layers(truth)
        return (self.between(x, z) + self.between(y, z) - spread * self.between(x, y)) / 2


def adversarial_loss(logits: Tensor, *, real: bool) -> Tensor:
    """What a discriminator says of every pixel against what is wanted: (N, 1, H, W) -> scalar, in float32.

    The binary cross-entropy of the first GANs (arXiv 1406.2661), "vanilla" in Real-ESRGAN's options. The discriminator
    wants ``real`` of the truth and not of the generator's pictures; the generator wants it of its own.
    """
    logits = logits.float()
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def min_snr_weights(alphas_cumprod: Tensor, prediction_type: str, *, gamma: float) -> Tensor:
    """How much a squared error at each timestep counts: alphas_cumprod (N,) in [0, 1) -> weights (N,).

    On the error of x0 it is min(SNR, gamma), SNR = abar / (1 - abar) (arXiv 2303.09556). An error of epsilon is SNR
    times as large and one of v SNR + 1 times, so theirs is divided by that; for epsilon that is min(1, gamma / SNR).
    """
    snr = alphas_cumprod / (1 - alphas_cumprod)
    if prediction_type == "epsilon":
        return (gamma / snr).clamp(max=1)
    return snr.clamp(max=gamma) / (snr + 1 if prediction_type == "v_prediction" else 1)
