"""The feed-forward generators by name: what ``[generator] net = ...`` of a configuration may say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

from torch import nn

from edge_sr.errors import UsageError


@dataclass(frozen=True)
class Net:
    """place: "module:Class", so that one net does not import what only another needs. family: of a bundle of it."""

    place: str
    family: str


NETS = {
    "residual": Net("host_training.nets.feedforward:FeedForward", family="rrdb"),  # the regression of the same cost
    "espcn": Net("host_training.nets.espcn:Espcn", family="espcn"),
    "compact": Net("host_training.nets.srvgg:Srvgg", family="rrdb"),
    "rrdb": Net("host_training.nets.rrdb:Rrdb", family="rrdb"),
}
DEFAULT = "residual"


class Generator(nn.Module):
    """What all of them have: (N, C, h, w) float in [0, 1] -> (N, C, s*h, s*w), C ``channels``, s ``scale``."""

    channels: int
    scale: int


def net_of(settings: Mapping[str, Any]) -> Net:
    """The line of NETS that a table ``[generator]`` names. UsageError where there is none."""
    name = settings.get("net", DEFAULT)
    if name not in NETS:
        raise UsageError(f"no such net: {name}", where="[generator]", expected=", ".join(NETS))
    return NETS[name]


def make_generator(settings: Mapping[str, Any]) -> Generator:
    """The generator of a table ``[generator]``: ``net``, DEFAULT where there is none, and that net's own options.

    UsageError for a name that is not in NETS, or an option that the net does not have.
    """
    module, _, name = net_of(settings).place.partition(":")
    options = {option: value for option, value in settings.items() if option != "net"}
    try:
        return cast("Generator", getattr(import_module(module), name)(**options))
    except TypeError as fault:
        raise UsageError(f"{name} cannot be made of {options}", where="[generator]") from fault


def deployed(generator: Generator) -> Generator:
    """What runs on a device: the network without what only its training needs, where it has a ``folded()`` form."""
    folded: Callable[[], Generator] | None = getattr(generator, "folded", None)
    return (generator if folded is None else folded()).eval()
