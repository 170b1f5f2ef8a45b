"""Weights of Real-ESRGAN as its authors publish them, ``.pth`` files, under our names and without pickles.

A ``.pth`` file is a pickle, and reading one runs whatever it says. Only its tensors are read here; a file that wants
more is refused. What comes out is a safetensors file, with which ``train_gan`` starts and which everything else reads.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from edge_sr.errors import IntegrityError, UsageError
from host_training.nets import srvgg, unet_discriminator
from host_training.nets.rrdb import SIDE, Rrdb
from host_training.nets.srvgg import Srvgg
from host_training.nets.unet_discriminator import UNetDiscriminator

KEYS = ("params_ema", "params")  # of the published dictionaries; the averaged weights are the better ones
NAMED = 3  # tensors in a message
EXPECTED = "weights of RRDBNet, SRVGGNetCompact or UNetDiscriminatorSN"
NO_WEIGHTS = {  # how a file begins that is something else
    rb"\s*<(!doctype|html|\?xml|head)": ("a web page", "download the file itself, not the page that links to it"),
    rb"version https://git-lfs": ("a Git LFS pointer", "git lfs pull"),
}


@dataclass(frozen=True, eq=False)
class Published:
    """A network as it was published. role: generator or discriminator. net: as ``[generator] net`` says, or "unet".

    settings: the options with which our class has these shapes. tensors: its state, under our names.
    """

    role: str
    net: str
    settings: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @property
    def network(self) -> nn.Module:
        """A new one with these weights."""
        network = NETS[self.net](**self.settings)
        network.load_state_dict(self.tensors)
        return network

    def grey(self) -> Published:
        """The same network for one channel: what it computes for a grey picture in three, their mean.

        The first convolution's weights are added up over the channels, the last one's averaged; of a discriminator only
        the first. UsageError where it has one channel already.
        """
        channels = self.settings["channels"]
        if channels == 1:
            raise UsageError("these weights are for one channel already", hint="leave --grey out")
        first, last = ENDS[self.net]
        tensors = dict(self.tensors)
        tensors[first] = grouped(tensors[first], channels, dim=1).sum(1)
        for name in (f"{last}.weight", f"{last}.bias") if last else ():
            tensors[name] = grouped(tensors[name], channels, dim=0).mean(0)
        return Published(self.role, self.net, {**self.settings, "channels": 1}, tensors)


NETS: Mapping[str, Callable[..., nn.Module]] = {"rrdb": Rrdb, "compact": Srvgg, "unet": UNetDiscriminator}
ENDS = {"rrdb": ("conv_first.weight", "conv_last"), "compact": ("head.weight", "tail"), "unet": ("conv0.weight", "")}


def grouped(value: Tensor, channels: int, *, dim: int) -> Tensor:
    """A dimension of C * k as two, (C, k): colours are the slow index, before and after a pixel shuffle."""
    return value.unflatten(dim, (channels, value.shape[dim] // channels))


def published(path: Path) -> Published:
    """A ``.pth`` file of Real-ESRGAN's authors, whichever network it is of.

    Raises UsageError where there is no such file; IntegrityError for one that is damaged, is no such file, would run
    code, or holds another network, or one with numbers missing.
    """
    state = state_of(path)
    kind = recognised(state, path)
    try:
        role, net, settings, tensors = kind(state)
        with torch.device("meta"):  # shapes alone
            wanted = NETS[net](**settings)
    except (KeyError, ValueError, IndexError, ZeroDivisionError, RuntimeError, UsageError) as fault:
        raise IntegrityError(f"its tensors fit no such network ({fault!r})", where=path, expected=EXPECTED) from fault
    if wrong := misfits(wanted, tensors):
        raise IntegrityError(wrong, where=path, expected=EXPECTED)
    for name, value in tensors.items():
        if not bool(value.isfinite().all()):
            raise IntegrityError(f"{name} is not finite", where=path)
    return Published(role, net, settings, tensors)


def state_of(path: Path) -> dict[str, Tensor]:
    """The tensors of a ``.pth`` file, float32, the averaged ones where it has both. Errors as for ``published``."""
    if not path.is_file():
        raise UsageError("no such file", where=path, expected="a .pth file")
    with path.open("rb") as file:
        beginning = file.read(64)
    for pattern, (what, hint) in NO_WEIGHTS.items():
        if re.match(pattern, beginning, re.IGNORECASE):
            raise IntegrityError(f"is {what}, no weights", where=path, hint=hint)
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as fault:
        what = "holds more than tensors (reading it could run code), or is no .pth file; it was not read"
        raise IntegrityError(what, where=path, expected=EXPECTED) from fault
    except (RuntimeError, EOFError, OSError, ValueError, KeyError) as fault:
        raise IntegrityError(f"cannot be read ({first_line(fault)})", where=path, hint="download it again") from fault
    chosen = next((found[key] for key in KEYS if isinstance(found, dict) and key in found), found)
    if not isinstance(chosen, dict) or not chosen or not all(isinstance(v, Tensor) for v in chosen.values()):
        raise IntegrityError("holds no table of weights", where=path, expected=f"one, under {' or '.join(KEYS)}")
    return {str(name): value.float() for name, value in chosen.items()}


def first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]


Kind = Callable[[Mapping[str, Tensor]], tuple[str, str, dict[str, Any], dict[str, Tensor]]]
"""Published state -> role, net, settings, state under our names."""


def recognised(state: Mapping[str, Tensor], path: Path) -> Kind:
    """Which network's names these are. IntegrityError for those of none."""
    if "conv_first.weight" in state and any(".rdb1." in name for name in state):
        return rrdb
    if "conv1.weight_orig" in state:
        return discriminator
    if "body.0.weight" in state and all(name.startswith("body.") for name in state):
        return compact
    some = ", ".join(list(state)[:NAMED])
    if "model.0.weight" in state:
        raise IntegrityError("has the names of ESRGAN's first release", where=path, hint="use a Real-ESRGAN release")
    raise IntegrityError(f"holds another network ({some}, ...)", where=path, expected=EXPECTED)


def rrdb(state: Mapping[str, Tensor]) -> tuple[str, str, dict[str, Any], dict[str, Tensor]]:
    width, seen = state["conv_first.weight"].shape[:2]
    channels = state["conv_last.weight"].shape[0]
    settings = {
        "channels": channels,
        "scale": SIDE // isqrt(seen // channels),
        "width": width,
        "growth": state["body.0.rdb1.conv1.weight"].shape[0],
        "blocks": 1 + highest(r"body\.(\d+)\.rdb", state),
    }
    return "generator", "rrdb", settings, dict(state)


def compact(state: Mapping[str, Tensor]) -> tuple[str, str, dict[str, Any], dict[str, Tensor]]:
    tensors = srvgg.from_published(state)
    width, channels = tensors["head.weight"].shape[:2]
    settings = {
        "channels": channels,
        "scale": isqrt(tensors["tail.weight"].shape[0] // channels),
        "width": width,
        "depth": 1 + highest(r"body\.(\d+)\.", tensors),
        "activation": "prelu" if any(name.startswith("slopes.") for name in tensors) else "relu",
        "skip": "nearest",
    }
    return "generator", "compact", settings, tensors


def discriminator(state: Mapping[str, Tensor]) -> tuple[str, str, dict[str, Any], dict[str, Tensor]]:
    width, channels = state["conv0.weight"].shape[:2]
    return "discriminator", "unet", {"channels": channels, "width": width}, unet_discriminator.from_published(state)


def highest(pattern: str, names: Mapping[str, Tensor]) -> int:
    """The largest number that the pattern finds; ValueError where it finds none, or one that cannot be a count."""
    number = max(int(found[1]) for name in names if (found := re.match(pattern, name)))
    if number > len(names):
        raise ValueError(f"number {number} of {len(names)} tensors")
    return number


def misfits(network: nn.Module, tensors: Mapping[str, Tensor]) -> str:
    """What keeps these tensors from being the state of this network, the first few by name; "" where nothing does."""
    wanted = network.state_dict()
    wrong = [f"{name} is missing" for name in wanted if name not in tensors]
    wrong += [f"{name} is not part of the network" for name in tensors if name not in wanted]
    wrong += [
        f"{name} is {list(tensors[name].shape)}, not {list(value.shape)}"
        for name, value in wanted.items()
        if name in tensors and tensors[name].shape != value.shape
    ]
    return "; ".join(wrong[:NAMED]) + (f"; and {len(wrong) - NAMED} more" if len(wrong) > NAMED else "")
