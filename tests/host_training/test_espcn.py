"""ESPCN: its size as published, BatchNorm folded away, the bicubic residual."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from edge_sr.image.bicubic import upsample_bicubic
from host_training.nets.espcn import Espcn


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def parameters(net: nn.Module) -> int:
    return sum(value.numel() for value in net.parameters())


def trained(channels: int = 3, scale: int = 4) -> Espcn:
    """One whose BatchNorm has gathered something, and learnt something."""
    net = Espcn(channels, scale)
    nn.init.normal_(net.conv3.weight, std=0.05)
    nn.init.normal_(net.conv3.bias)
    for norm in (net.norm1, net.norm2):
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.uniform_(norm.bias, -1, 1)
    for _ in range(5):
        net(torch.rand(4, channels, 12, 12))
    return net.eval()


@pytest.mark.parametrize(("channels", "count", "folded"), [(3, 37_392, 37_200), (1, 24_944, 24_752)])
def test_it_has_the_published_size(channels: int, count: int, folded: int) -> None:
    net = Espcn(channels)
    assert parameters(net) == count and parameters(net.folded()) == folded


@pytest.mark.parametrize(("channels", "scale"), [(3, 4), (1, 4), (3, 2), (1, 3)])
def test_output_sizes(channels: int, scale: int) -> None:
    net = Espcn(channels, scale)
    assert (net.channels, net.scale) == (channels, scale)
    assert net(torch.rand(2, channels, 7, 9)).shape == (2, channels, 7 * scale, 9 * scale)


@pytest.mark.parametrize("channels", [1, 3])
def test_folded_it_computes_the_same(channels: int) -> None:
    net, lr = trained(channels), torch.rand(2, channels, 16, 12)
    folded = net.folded()
    assert not [layer for layer in folded.modules() if isinstance(layer, nn.BatchNorm2d)]
    torch.testing.assert_close(folded(lr), net(lr), atol=2e-6, rtol=0)


def test_folding_a_folded_net_changes_nothing() -> None:
    folded, lr = trained().folded(), torch.rand(1, 3, 8, 8)
    assert torch.equal(folded.folded()(lr), folded(lr))


def test_folding_leaves_the_net_as_it_was() -> None:
    net, lr = trained(), torch.rand(1, 3, 8, 8)
    before, folded = net(lr), net.folded()
    nn.init.zeros_(folded.conv3.weight)
    nn.init.zeros_(folded.conv1.bias)
    assert torch.equal(net(lr), before)


def test_it_begins_as_bicubic_interpolation_of_each_colour() -> None:
    net, lr = Espcn().eval(), torch.rand(1, 3, 10, 12) * 0.5 + 0.25  # the reference clips
    np.testing.assert_allclose(net(lr).detach().numpy(), upsample_bicubic(lr.numpy()), atol=1e-5)
