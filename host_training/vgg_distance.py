"""The perceptual loss of ESRGAN and Real-ESRGAN: features of VGG19 (arXiv 1409.1556) before their activation.

Its weights are torchvision's ``vgg19-dcbb9e9d.pth``, a file of 548 MB that is given, never fetched. They were trained
on ImageNet and enter no bundle.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_sr.errors import EnvironmentFault, IntegrityError
from host_training.loop import read_checkpoint
from host_training.nets.blocks import channels_last
from host_training.published_weights import state_of

LAYERS = {2: 0.1, 7: 0.1, 16: 1.0, 25: 1.0, 34: 1.0}  # conv1_2, conv2_2, conv3_4, conv4_4, conv5_4: what each counts
CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34)  # torchvision's ``features.N``
POOLED = (5, 10, 19, 28)  # convolutions after a 2x2 maximum


def vgg_weights() -> Path:
    """The file that EDGE_SR_VGG19 names. EnvironmentFault where it names none."""
    named = os.environ.get("EDGE_SR_VGG19")
    if not named:
        raise EnvironmentFault(
            "the perceptual loss vgg19 needs the weights of VGG19",
            where="EDGE_SR_VGG19",
            expected="torchvision's vgg19-dcbb9e9d.pth, or the same tensors as safetensors",
            hint='perceptual_net = "lpips" in [loss], whose weights are small',
        )
    return Path(named)


class VggDistance(nn.Module):
    """Weighted L1 distance of VGG19's features, differentiable, on pictures in [0, 1], grey or RGB.

    weights: a file with ``features.N.weight`` and ``.bias``; UsageError or IntegrityError where it is no such one.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__()
        state = read_checkpoint(weights)[1] if weights.suffix == ".safetensors" else state_of(weights)
        self.convolutions = nn.ModuleDict()
        for index in CONVOLUTIONS:
            try:
                weight, bias = state[f"features.{index}.weight"], state[f"features.{index}.bias"]
            except KeyError as fault:
                raise IntegrityError(f"has no {fault}", where=weights, expected="the weights of VGG19") from fault
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=1)
            conv.load_state_dict({"weight": weight, "bias": bias})
            self.convolutions[str(index)] = conv
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False)
        channels_last(self)

    def layers(self, pictures: Tensor) -> dict[int, Tensor]:
        """(N, 1 or 3, H, W) -> the features of ``LAYERS``."""
        x, out = ((pictures - self.mean) / self.std).contiguous(memory_format=torch.channels_last), {}
        for index in CONVOLUTIONS:
            x = self.convolutions[str(index)](F.max_pool2d(x, 2) if index in POOLED else x)
            if index in LAYERS:
                out[index] = x
            x = F.relu(x)
        return out

    def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
        """(N, 1 or 3, H, W) twice, H and W at least 16 -> scalar, the batch mean."""
        ours, wanted = self.layers(sr), self.layers(hr)
        return torch.stack([share * F.l1_loss(ours[i].float(), wanted[i].float()) for i, share in LAYERS.items()]).sum()
