"""What differs in how two runs were made, and which of it forbids to judge one by the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge_sr.bench.report.words import flat, plain
from edge_sr.bench.schema import Report, Variant

# Of Conditions.machine: what differs without making a machine another one.
PASSING = ("available_mib", "memory_mib", "system", "libc")  # a kernel may be updated
# Of Conditions.versions: what computes. Other packages may differ.
COMPUTING = ("onnxruntime", "tensorrt", "cuda", "cudnn", "driver", "torch", "openvino", "l4t", "jetpack")
SAME_VARIANT = ("backend", "precision", "size", "scale", "sampler", "steps", "threads")


@dataclass(frozen=True)
class Difference:
    """binding: figures on the two sides cannot be judged by each other."""

    name: str
    before: str
    after: str
    binding: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.before} against {self.after}"


def conditions_apart(a: Report, b: Report) -> Iterator[Difference]:
    """Between the machines, their settings and packages, and the edge-sr that measured."""
    yield from _apart({"simulated": a.simulated}, {"simulated": b.simulated}, binding=True)
    for name, one, other in _machines(a, b):
        yield from _apart({name: one}, {name: other}, binding=name not in PASSING)
    yield from _apart(_settings(a), _settings(b), binding=True)
    versions = {**a.conditions.versions, **b.conditions.versions}
    for name in versions:
        one, other = (report.conditions.versions.get(name) for report in (a, b))
        binding = any(word in name.lower() for word in COMPUTING)
        yield from _apart({name: one}, {name: other}, binding=binding)
    yield from _apart({"edge-sr": a.code_version}, {"edge-sr": b.code_version}, binding=False)


def variants_apart(a: Variant, b: Variant) -> Iterator[Difference]:
    """Between two variants of the same key."""
    for name in SAME_VARIANT:
        yield from _apart({name: getattr(a, name)}, {name: getattr(b, name)}, binding=True)
    one, other = (each.bundle.sha256[:12] if each.bundle else None for each in (a, b))
    yield from _apart({"bundle sha256": one}, {"bundle sha256": other}, binding=False)  # a new model is what one judges
    yield from _apart({"engine": a.engine}, {"engine": b.engine}, binding=False)


def pictures_apart(a: Variant, b: Variant) -> Iterator[Difference]:
    """Between the pictures on which two variants' quality was measured."""
    if a.quality is not None and b.quality is not None:
        one, other = ({"pictures": each.pictures, "patients": each.patients} for each in (a.quality, b.quality))
        yield from _apart(one, other, binding=True)


def _machines(a: Report, b: Report) -> Iterator[tuple[str, Any, Any]]:
    one, other = a.conditions.machine, b.conditions.machine
    for name in {**one, **other}:
        yield name, one.get(name), other.get(name)


def _settings(report: Report) -> Mapping[str, Any]:
    """Power mode, clocks held at their highest, throttling that was seen, and the GPU's name and memory."""
    told = report.conditions
    gpu = {f"gpu {name}": value for name, value in flat(told.gpu or {})}
    jetson_clocks = told.before.get("jetson_clocks")
    throttled = ", ".join(told.throttling) if told.throttling else None  # "none" and "nothing tells" both let one judge
    return {"power mode": told.power_mode, "jetson clocks": jetson_clocks, "throttling": throttled, **gpu}


def _apart(a: Mapping[str, Any], b: Mapping[str, Any], *, binding: bool) -> Iterator[Difference]:
    for name in {**a, **b}:
        one, other = plain(a.get(name)), plain(b.get(name))
        if one != other:
            yield Difference(name.replace("_", " "), one, other, binding)
