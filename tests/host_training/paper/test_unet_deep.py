"""The denoisers that the published report names as future work."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edge_sr.errors import UsageError
from host_training.nets.paper_model import DENOISERS, denoiser_of
from host_training.nets.unet_deep import CrossAttention, CrossAttentionUNet, DeepUNet

Z, COND = torch.randn(2, 4, 16, 16), torch.randn(2, 4, 16, 16)


def parameters(net: nn.Module) -> int:
    return sum(value.numel() for value in net.parameters())


@pytest.mark.parametrize(("kind", "count"), [("lite", 813_220), ("deep", 10_212_036), ("cross_attention", 903_780)])
def test_parameters(kind: str, count: int) -> None:
    assert parameters(denoiser_of(kind)) == count


def test_the_deep_unet_of_the_published_size_is_the_published_one() -> None:
    assert parameters(DeepUNet(widths=(32, 64, 128), depth=1)) == 813_220


@pytest.mark.parametrize("kind", list(DENOISERS))
def test_ports_are_those_of_every_denoiser(kind: str) -> None:
    net = denoiser_of(kind, widths=[8, 8, 16])
    one, each = net(Z, COND, torch.tensor([7])), net(Z, COND, torch.tensor([7, 7]))
    assert one.shape == Z.shape
    torch.testing.assert_close(one, each)
    assert not torch.allclose(net(Z, COND, torch.tensor([250])), one)
    assert not torch.allclose(net(Z, COND.flip(3), torch.tensor([7])), one)


def test_attention_starts_as_the_identity_and_learns() -> None:
    attention = CrossAttention(8, heads=4)
    x, lr = torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4)
    assert torch.equal(attention(x, lr), x)
    attention(x, lr).sum().backward()
    assert attention.out.weight.grad is not None and attention.out.weight.grad.abs().max() > 0


def test_attention_reads_all_of_lr_whatever_its_order() -> None:
    attention, x, lr = CrossAttention(8, heads=4), torch.randn(1, 8, 4, 4), torch.randn(1, 8, 4, 4)
    nn.init.normal_(attention.out.weight)
    torch.testing.assert_close(attention(x, lr.flip(2, 3)), attention(x, lr))
    far = lr.clone()
    far[..., 3, 3] += 1
    changed = (attention(x, far) - attention(x, lr)).abs().amax(1)[0]
    assert changed.min() > 0  # the opposite corner too


def test_heads_do_not_mix() -> None:
    """Each head's output is a mean of its own values: equal values come out as they are."""
    attention = CrossAttention(8, heads=4)
    for value in attention.out.parameters():
        nn.init.zeros_(value)
    with torch.no_grad():
        attention.out.weight[:, :, 0, 0] = torch.eye(8)
        attention.kv.weight.zero_()
        attention.kv.bias[8:] = torch.arange(8.0)
    x = torch.randn(2, 8, 4, 4)
    expected = x + torch.arange(8.0)[None, :, None, None]
    torch.testing.assert_close(attention(x, x), expected)


def test_levels_above_the_coarsest_get_their_skip() -> None:
    net = CrossAttentionUNet(widths=(8, 8, 16))
    net(Z, COND, torch.tensor([3])).sum().backward()
    idle = [name for name, value in net.named_parameters() if value.grad is None]
    assert not idle


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "huge"}, r"\[denoiser\]: no such kind: huge; expected lite, deep"),
        ({"depht": 2}, "lite cannot be made of"),
    ],
)
def test_a_slip_in_the_configuration_is_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        denoiser_of(**options)
