"""Real-ESRGAN's discriminator (UNetDiscriminatorSN, arXiv 2107.10833): a verdict on every pixel."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

SLOPE = 0.2  # of the leaky ReLU
STRIDE = 8  # pixels per position at its lowest level


class UNetDiscriminator(nn.Module):
    """(N, C, H, W) in [0, 1] -> (N, 1, H, W) logits, positive where the pixel looks real; H and W multiples of 8.

    4,376,897 parameters by default. Spectral normalisation (arXiv 1802.05957) on all but the first and last
    convolution. Its estimates of the norms are part of the state. ``estimate_norms`` improves them, once a step; a
    forward pass does not, or it would matter in how many parts a batch is computed.
    """

    def __init__(self, channels: int = 3, width: int = 64) -> None:
        super().__init__()

        def down(n_in: int, n_out: int) -> nn.Module:
            return spectral_norm(nn.Conv2d(n_in, n_out, 4, stride=2, padding=1, bias=False))

        def same(n_in: int, n_out: int) -> nn.Module:
            return spectral_norm(nn.Conv2d(n_in, n_out, 3, padding=1, bias=False))

        self.conv0 = nn.Conv2d(channels, width, 3, padding=1)
        self.conv1 = down(width, 2 * width)
        self.conv2 = down(2 * width, 4 * width)
        self.conv3 = down(4 * width, 8 * width)
        self.conv4 = same(8 * width, 4 * width)
        self.conv5 = same(4 * width, 2 * width)
        self.conv6 = same(2 * width, width)
        self.conv7 = same(width, width)
        self.conv8 = same(width, width)
        self.conv9 = nn.Conv2d(width, 1, 3, padding=1)
        self.train()

    def train(self, mode: bool = True) -> UNetDiscriminator:
        """As of every module, but torch's normalisation stays out of its training mode, in which it changes itself."""
        super().train(mode)
        for norm in self.norms():
            norm.eval()
        return self

    def norms(self) -> list[nn.Module]:
        """What normalises each weight that is normalised."""
        return [module for module in self.modules() if isinstance(module, parametrize.ParametrizationList)]

    @torch.no_grad()
    def estimate_norms(self) -> None:
        """One round of power iteration for each normalised weight."""
        for norm in self.norms():
            norm.train()
        self.normalise(self.conv0.weight.device.type)
        self.train(self.training)

    def forward(self, pictures: Tensor) -> Tensor:
        with parametrize.cached():
            self.normalise(pictures.device.type)
            skips = [leaky(self.conv0(pictures))]
            for conv in (self.conv1, self.conv2, self.conv3):
                skips.append(leaky(conv(skips[-1])))
            x = skips.pop()
            for conv in (self.conv4, self.conv5, self.conv6):
                x = leaky(conv(doubled(x))) + skips.pop()
            return self.conv9(leaky(self.conv8(leaky(self.conv7(x)))))

    def normalise(self, device: str) -> None:
        """Compute the normalised weights now, in float32: eight bits would not do for the estimate of a norm."""
        with torch.autocast(device, enabled=False):
            for conv in self.children():
                assert isinstance(conv.weight, Tensor)  # looking at it is what computes it


def leaky(x: Tensor) -> Tensor:
    return F.leaky_relu(x, SLOPE)


def doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


# of torch.nn.utils.spectral_norm, which the published weights were saved with -> of its parametrisation
SPECTRAL = {"weight_orig": "original", "weight_u": "0._u", "weight_v": "0._v"}


def from_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The names of UNetDiscriminatorSN, ``conv1.weight_orig`` and the like, to those of ``UNetDiscriminator``."""

    def renamed(name: str) -> str:
        layer, kind = name.rsplit(".", 1)
        return f"{layer}.parametrizations.weight.{SPECTRAL[kind]}" if kind in SPECTRAL else name

    return {renamed(name): value for name, value in state.items()}
