"""Real-ESRGAN's networks: sizes as published, and what they compute, against the published code written down again."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edge_sr.errors import UsageError
from host_training.nets import srvgg, unet_discriminator
from host_training.nets.rrdb import Rrdb
from host_training.nets.srvgg import Srvgg
from host_training.nets.unet_discriminator import UNetDiscriminator
from tests.host_training import published_networks as reference


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def parameters(net: nn.Module) -> int:
    return sum(value.numel() for value in net.parameters())


def test_sizes_are_the_published_ones() -> None:
    with torch.device("meta"):
        counts = [parameters(net()) for net in (Rrdb, Srvgg, UNetDiscriminator)]
    assert counts == [16_697_987, 1_213_296, 4_376_897]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 2, 4])
@pytest.mark.parametrize("skip", ["nearest", "bicubic"])
def test_the_compact_generator_makes_s_times_as_large_a_picture(scale: int, channels: int, skip: str) -> None:
    net = Srvgg(channels, scale, width=4, depth=1, skip=skip)
    assert net(torch.rand(2, channels, 5, 7)).shape == (2, channels, 5 * scale, 7 * scale)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_rrdb_makes_s_times_as_large_a_picture(scale: int, channels: int) -> None:
    net = Rrdb(channels, scale, width=4, growth=2, blocks=1)
    assert net(torch.rand(2, channels, 8, 12)).shape == (2, channels, 8 * scale, 12 * scale)


@pytest.mark.parametrize("skip", ["nearest", "bicubic"])
@pytest.mark.parametrize("scale", [2, 4])
def test_a_compact_generator_that_adds_nothing_gives_its_skip(scale: int, skip: str) -> None:
    net, lr = Srvgg(3, scale, width=4, depth=1, skip=skip), torch.rand(1, 3, 6, 6)
    for value in net.tail.parameters():
        nn.init.zeros_(value)
    plain = nn.functional.interpolate(lr, scale_factor=scale, mode=skip)
    inside = (..., slice(2 * scale, -2 * scale), slice(2 * scale, -2 * scale))
    torch.testing.assert_close(net(lr)[inside], plain[inside], atol=1e-6, rtol=0)


def test_the_form_for_radiographs_keeps_the_names_of_its_first_weights() -> None:
    net = Srvgg(1, 4, width=4, depth=2, activation="relu", skip="bicubic")
    names = {f"{layer}.{kind}" for layer in ("head", "body.0", "body.1", "tail") for kind in ("weight", "bias")}
    assert set(net.state_dict()) == names


def test_an_unknown_activation_or_scale_is_refused() -> None:
    with pytest.raises(UsageError, match="activation: unknown value 'tanh'; expected prelu or relu"):
        Srvgg(activation="tanh")
    with pytest.raises(UsageError, match="scale: no RRDB of scale 3; expected 1, 2 or 4"):
        Rrdb(scale=3)


@pytest.mark.parametrize("scale", [2, 4])
def test_the_compact_generator_computes_what_the_published_one_does(scale: int) -> None:
    theirs, ours = reference.Compact(scale=scale), Srvgg(3, scale, width=8, depth=2)
    ours.load_state_dict(srvgg.from_published(theirs.state_dict()))
    lr = torch.rand(1, 3, 9, 11)
    torch.testing.assert_close(ours(lr), theirs(lr))


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_rrdb_computes_what_the_published_one_does(scale: int) -> None:
    net, lr = Rrdb(3, scale, width=8, growth=4, blocks=2), torch.rand(1, 3, 8, 12)
    state = {name: value + 0.01 * torch.randn_like(value) for name, value in net.state_dict().items()}
    net.load_state_dict(state)
    torch.testing.assert_close(net(lr), reference.rrdb(state, lr, scale=scale))


@pytest.mark.parametrize("net", [Rrdb(1, width=4, growth=2, blocks=1), Srvgg(1, width=4, depth=1)])
def test_grey_values_are_not_rounded_to_bfloat16(net: nn.Module) -> None:
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        sr = net(torch.rand(1, 1, 8, 8))
    assert sr.dtype is torch.float32 and not torch.equal(sr, sr.bfloat16().float())


def test_the_discriminator_computes_what_the_published_one_does() -> None:
    theirs, ours = reference.Discriminator().eval(), UNetDiscriminator(width=8).eval()
    ours.load_state_dict(unet_discriminator.from_published(theirs.state_dict()))
    pictures = torch.rand(2, 3, 32, 48)
    torch.testing.assert_close(ours(pictures), theirs(pictures))


def test_the_discriminators_weights_come_to_norm_one() -> None:
    net = UNetDiscriminator(1, width=4)
    for _ in range(30):
        net.estimate_norms()
    for name in ("conv1", "conv8"):
        weight = getattr(net, name).weight.detach()
        assert torch.linalg.matrix_norm(weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.02)


def test_the_discriminators_norms_are_not_estimated_in_bfloat16() -> None:
    net, pictures = UNetDiscriminator(1, width=4), torch.rand(1, 1, 16, 16)
    other = UNetDiscriminator(1, width=4)
    other.load_state_dict(net.state_dict())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        net.estimate_norms()
        net(pictures)
    other.estimate_norms()
    for name, value in net.named_buffers():
        assert torch.equal(value, other.get_buffer(name))


def test_looking_changes_nothing_in_the_discriminator_and_estimating_does() -> None:
    net, pictures = UNetDiscriminator(1, width=4), torch.rand(1, 1, 16, 16)
    net.eval().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    assert torch.equal(net(pictures), net(pictures))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    net.estimate_norms()
    assert not torch.equal(
        net.get_buffer("conv1.parametrizations.weight.0._u"), before["conv1.parametrizations.weight.0._u"]
    )
