"""The table of generators: what a configuration may name."""

from __future__ import annotations

import pytest
import torch

from edge_sr.artifacts.families import FAMILIES
from edge_sr.errors import UsageError
from host_training.loop import CONFIGS, read_config
from host_training.nets.feedforward import FeedForward
from host_training.nets.generators import NETS, deployed, make_generator

SMALL = {
    "residual": {"width": 8, "depth": 1},
    "espcn": {},
    "compact": {"width": 8, "depth": 1},
    "rrdb": {"width": 8, "growth": 4, "blocks": 1},
}


@pytest.mark.parametrize("name", list(NETS))
@pytest.mark.parametrize(("channels", "scale"), [(1, 4), (3, 4), (3, 2)])
def test_every_generator_keeps_the_interface(name: str, channels: int, scale: int) -> None:
    net = make_generator({"net": name, "channels": channels, "scale": scale, **SMALL[name]})
    assert (net.channels, net.scale) == (channels, scale)
    sr = net(torch.rand(2, channels, 8, 12))
    assert sr.shape == (2, channels, 8 * scale, 12 * scale) and sr.dtype == torch.float32


def test_without_a_name_it_is_the_residual_net_as_before() -> None:
    torch.manual_seed(0)
    net = make_generator({"width": 8, "depth": 1})
    torch.manual_seed(0)
    expected = FeedForward(width=8, depth=1)
    lr = torch.rand(1, 1, 8, 8)
    assert isinstance(net, FeedForward) and torch.equal(net(lr), expected(lr))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"net": "espn"}, r"\[generator\]: no such net: espn; expected residual, espcn"),
        ({"net": "espcn", "depth": 3}, "Espcn cannot be made of .*depth"),
        ({"width": "64"}, "FeedForward cannot be made of"),
    ],
)
def test_what_cannot_be_made_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_generator(settings)


def test_every_generator_has_a_family() -> None:
    assert {net.family for net in NETS.values()} <= FAMILIES.keys()


@pytest.mark.parametrize("name", list(NETS))
def test_what_is_deployed_computes_the_same(name: str) -> None:
    net, lr = make_generator({"net": name, "channels": 3, **SMALL[name]}), torch.rand(2, 3, 8, 8)
    assert net.training and not deployed(net).training
    torch.testing.assert_close(deployed(net)(lr), net.eval()(lr), atol=2e-6, rtol=0)


@pytest.mark.parametrize(
    ("config", "count"), [("espcn", 37_392), ("espcn-grey", 24_944), ("fast", 379_152), ("feedforward", 379_152)]
)
def test_the_shipped_configurations_make_nets_of_known_size(config: str, count: int) -> None:
    net = make_generator(read_config(CONFIGS / f"{config}.toml")["generator"])
    assert sum(value.numel() for value in net.parameters()) == count
