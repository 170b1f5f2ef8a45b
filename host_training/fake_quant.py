"""Computing as the quantised graph will, in PyTorch: fake quantisation at the places of ``build_engines.quantize``.

Nothing is rewritten: while a context below is entered, it looks at every convolution and sum that the networks compute.
A convolution is known by its weight, whose name the composed graph has kept, and by how often that weight was used
before: the n-th time is the n-th step. Grids and rounding are those of ``quantize`` and of ONNX's QuantizeLinear, so a
graph with the same ranges gives the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from build_engines.quantize import WEIGHT_LEVELS, Convolution, Flavour, Placement, Ranges
from edge_sr.errors import UsageError

CONVOLUTIONS = (torch.conv2d, torch.conv_transpose2d)
SUMS = (torch.Tensor.add, torch.add)
RATE = 50.0  # of the ranges: AdamW moves a parameter by its learning rate, which for a range should be a share of it


class Round(torch.autograd.Function):
    """To the nearest integer, halves to even; the gradient passes straight through (arXiv 1308.3432)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.round()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0]


def rounded(x: Tensor) -> Tensor:
    return Round.apply(x)


def grids(limits: Tensor, flavour: Flavour) -> tuple[Tensor, Tensor]:
    """``quantize.grid`` of many ranges, differentiable: (n, 2) -> scales (n,) and zero points (n,), float32."""
    least, greatest = limits[:, 0].clamp(max=0), limits[:, 1].clamp(min=0)
    if flavour.symmetric:
        scale = positive(torch.maximum(-least, greatest) / flavour.highest)
        return scale, torch.zeros_like(scale)
    scale = positive((greatest - least) / (flavour.highest - flavour.lowest))
    return scale, flavour.lowest + rounded(-least / scale)


def positive(scale: Tensor) -> Tensor:
    return torch.where(scale > 0, scale, torch.ones_like(scale))


def fake_quantised(x: Tensor, scale: Tensor, zero_point: Tensor, flavour: Flavour) -> Tensor:
    """QuantizeLinear and DequantizeLinear with one scale, any shape.

    Gradients: straight through for x within the range, none outside; for scale and zero point those of LSQ+
    (arXiv 2004.09576, equations 4 and 5).
    """
    codes = (rounded(x / scale) + zero_point).clamp(flavour.lowest, flavour.highest)
    return (codes - zero_point) * scale


def fake_quantised_weight(weight: Tensor, axis: int) -> Tensor:
    """Symmetric, one scale an output channel, as ``quantize.weight_grid``; the gradient passes straight through."""
    others = [other for other in range(weight.ndim) if other != axis]
    scale = positive(weight.detach().abs().amax(others, keepdim=True) / WEIGHT_LEVELS)
    return rounded(weight / scale).clamp(-WEIGHT_LEVELS, WEIGHT_LEVELS) * scale


class LearntRanges(nn.Module):
    """The range of every group of one placement: (groups, 2), least and greatest value.

    start: the observed ranges. They grow and shrink by factors and so keep their signs: that of a ReLU begins at 0.
    """

    start: Tensor

    def __init__(self, places: Placement, start: Ranges) -> None:
        super().__init__()
        self.places = places
        self.register_buffer("start", torch.tensor(places.limits(start), dtype=torch.float32))
        self.growth = nn.Parameter(torch.zeros_like(self.start))

    def forward(self) -> Tensor:
        return self.start * (RATE * self.growth).exp()

    @torch.no_grad()
    def by_tensor(self) -> dict[str, tuple[float, float]]:
        """The ranges as ``insert_qdq`` takes them."""
        limits = [(float(low), float(high)) for low, high in self()]
        return {name: limit for limit, group in zip(limits, self.places.groups, strict=True) for name in group}


class AtThePlaces(TorchFunctionMode):
    """Hands what is read at the places to ``activation`` and ``weight``, for the one run of the chain that it encloses.

    networks: by the roles of the composed graph. Raises UsageError where what ran is not the placement's chain.
    """

    def __init__(self, networks: Mapping[str, nn.Module], places: Placement) -> None:
        super().__init__()
        self.places = places
        weights = {f"{role}/{name}": value for role, net in networks.items() for name, value in net.named_parameters()}
        self.waiting: dict[int, list[Convolution]] = {}  # of each weight, first step first
        for convolution in places.convolutions:
            if convolution.weight not in weights:
                raise UsageError("the networks have no such weight", where=convolution.weight)
            self.waiting.setdefault(id(weights[convolution.weight]), []).append(convolution)
        self.summands: dict[int, tuple[Tensor, Convolution]] = {}

    def activation(self, x: Tensor, tensor: str) -> Tensor:
        """What is read in place of x, which the graph calls ``tensor``."""
        raise NotImplementedError

    def weight(self, weight: Tensor, convolution: Convolution) -> Tensor:
        """What is read in place of a weight."""
        return weight

    def __torch_function__(
        self, function: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if function in CONVOLUTIONS and id(args[1]) in self.waiting:
            return self.convolve(function, *args, **(kwargs or {}))
        if function in SUMS:
            args = self.summed(*args)
        return function(*args, **(kwargs or {}))

    def convolve(
        self, function: Callable[..., Tensor], data: Tensor, weight: Tensor, *args: Any, **kwargs: Any
    ) -> Tensor:
        if not self.waiting[id(weight)]:
            raise UsageError("more steps were run than the placement has", where=self.places.convolutions[-1].name)
        convolution = self.waiting[id(weight)].pop(0)
        with torch.autocast(data.device.type, enabled=False):  # codes times a scale do not fit into bfloat16
            read = self.activation(data.float(), convolution.data), self.weight(weight, convolution)
            result = function(*read, *args, **kwargs)
        if convolution.skip:
            self.summands[id(result)] = (result, convolution)
        elif convolution.output:
            result = self.activation(result, convolution.output)
        return result

    def summed(self, one: Any, other: Any, *args: Any) -> tuple[Any, ...]:
        """The arguments of a sum; where one is a convolution with a skip branch, both as they are read."""
        if id(one) in self.summands:
            other, one = self.summed(other, one)
        elif id(other) in self.summands:
            _, convolution = self.summands.pop(id(other))
            one = self.activation(one, convolution.skip)
            other = self.activation(other, convolution.output) if convolution.output else other
        return one, other, *args

    def __exit__(self, kind: Any, fault: Any, trace: Any) -> None:
        super().__exit__(kind, fault, trace)
        if kind is not None:
            return
        left = [c.name for waiting in self.waiting.values() for c in waiting]
        left += [convolution.skip for _, convolution in self.summands.values()]
        if left:
            raise UsageError("was never computed", where=left[0], expected="a run of the whole chain, with its steps")


class Observed(AtThePlaces):
    """Widens ``ranges`` (tensor -> least and greatest value) by what this run computes; changes nothing.

    tail: the share of a tensor's values that may lie beyond each end; 0 for none.
    """

    def __init__(
        self,
        networks: Mapping[str, nn.Module],
        places: Placement,
        ranges: dict[str, tuple[float, float]],
        *,
        tail: float = 0.0,
    ) -> None:
        super().__init__(networks, places)
        self.ranges, self.tail = ranges, tail

    def activation(self, x: Tensor, tensor: str) -> Tensor:
        values, beyond = x.detach().flatten(), int(self.tail * x.numel())
        low, high = (float(values.kthvalue(k).values) for k in (1 + beyond, x.numel() - beyond))
        known = self.ranges.get(tensor, (low, high))
        self.ranges[tensor] = (min(low, known[0]), max(high, known[1]))
        return x


class FakeQuantised(AtThePlaces):
    """What the chain computes inside is what the graph with Q/DQ pairs of these ranges computes."""

    def __init__(self, networks: Mapping[str, nn.Module], ranges: LearntRanges) -> None:
        super().__init__(networks, ranges.places)
        scales, zero_points = grids(ranges(), self.places.flavour)
        self.grids = {
            name: (scale, zero_point)
            for scale, zero_point, group in zip(scales, zero_points, self.places.groups, strict=True)
            for name in group
        }
        self.weights: dict[str, Tensor] = {}  # the steps share them

    def activation(self, x: Tensor, tensor: str) -> Tensor:
        return fake_quantised(x, *self.grids[tensor], self.places.flavour)

    def weight(self, weight: Tensor, convolution: Convolution) -> Tensor:
        if convolution.weight not in self.weights:
            self.weights[convolution.weight] = fake_quantised_weight(weight, convolution.axis)
        return self.weights[convolution.weight]
