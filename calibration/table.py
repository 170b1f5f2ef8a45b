"""The calibration table: a JSON file of ranges that says what they are of and how they were found.

It is refused where it is stale or foreign: ranges of another graph, sampler or number of steps would quantise without
an error and give a wrong picture.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from calibration.choose import METHOD_CHOICES, REFINED, Choice
from calibration.histogram import Histogram
from calibration.observers import METHODS, Range
from edge_sr import __version__
from edge_sr.artifacts.strict_json import Fields, parse_json
from edge_sr.errors import IntegrityError, UsageError
from edge_sr.image.atomic import write_atomically

SCHEMA_VERSION = 1
QUANTILES = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)
LARGEST = 3.5e38  # float32 ends below
_SHA256 = re.compile(r"[0-9a-f]{64}")
_HINT = "edge-sr calibrate"


@dataclass(frozen=True)
class TensorRanges:
    """One tensor. minimum, maximum: observed. zeros: share of the values that are 0. quantiles: at QUANTILES.

    asymmetric, symmetric: its range on either kind of grid; that of a symmetric one is -amax to amax.
    """

    minimum: float
    maximum: float
    count: int
    zeros: float
    quantiles: tuple[float, ...]
    asymmetric: Choice
    symmetric: Choice

    @classmethod
    def of(cls, histogram: Histogram, *, asymmetric: Choice, symmetric: Choice) -> TensorRanges:
        quantiles = tuple(rounded(_quantile(histogram, share)) for share in QUANTILES)
        return cls(
            rounded(histogram.minimum),
            rounded(histogram.maximum),
            histogram.count,
            round(histogram.zeros / histogram.count, 6),
            quantiles,
            _rounded_choice(asymmetric),
            _rounded_choice(symmetric),
        )


@dataclass(frozen=True)
class Origin:
    """What the ranges are of. graph_sha256: what the caller knows the graph by. images: how many tiles.

    method: "auto" or the one that was forced.
    """

    graph_sha256: str
    model: str
    sampler: str
    steps: int
    images_sha256: str
    images: int
    fidelities: tuple[float, ...]
    method: str
    code_version: str = __version__


@dataclass(frozen=True)
class CalibrationTable:
    """harmless: first and last convolutions, by what they write, that were measured to bear INT8 with these ranges."""

    origin: Origin
    tensors: Mapping[str, TensorRanges]
    harmless: tuple[str, ...] = ()

    def ranges(self, *, symmetric: bool) -> dict[str, Range]:
        """Tensor -> least and greatest value on that kind of grid."""
        chosen = {name: each.symmetric if symmetric else each.asymmetric for name, each in self.tensors.items()}
        return {name: (choice.low, choice.high) for name, choice in chosen.items()}

    def with_choices(self, kind: str, choices: Mapping[str, Choice]) -> CalibrationTable:
        """The table with other ranges for some tensors. kind: asymmetric or symmetric."""
        changed: dict[str, TensorRanges] = {}
        for name, choice in choices.items():
            old, new = self.tensors[name], _rounded_choice(choice)
            changed[name] = replace(old, symmetric=new) if kind == "symmetric" else replace(old, asymmetric=new)
        return replace(self, tensors={**self.tensors, **changed})

    def check(self, where: object, *, tensors: Collection[str] = (), **expected: object) -> None:
        """IntegrityError naming the part that differs.

        where: the file. tensors: all that have to have a range. expected: fields of Origin and their values.
        """
        for part, value in expected.items():
            found = getattr(self.origin, part)
            if found != value:
                what = f"is stale or foreign: its {part} is {_short(found)}"
                raise IntegrityError(what, where=where, expected=_short(value), hint=_HINT)
        for name in tensors:
            if name not in self.tensors:
                raise IntegrityError(
                    "is stale or foreign: a tensor has no range", where=where, expected=name, hint=_HINT
                )

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        write_atomically(path, self.to_bytes(), overwrite=overwrite)

    def to_bytes(self) -> bytes:
        """The JSON file that ``read_table`` reads."""
        record = {
            "schema_version": SCHEMA_VERSION,
            **asdict(self.origin),
            "harmless": list(self.harmless),
            "tensors": {name: _tensor_record(each) for name, each in self.tensors.items()},
        }
        text = json.dumps(record, indent=1, allow_nan=False)
        text = re.sub(r"\[[^][{}]*\]", lambda match: " ".join(match[0].split()), text)  # a list of numbers on one line
        return (text + "\n").encode()


def read_table(path: Path) -> CalibrationTable:
    """UsageError where there is no such file, IntegrityError naming the field where it is no calibration table."""
    if not path.is_file():
        raise UsageError("no such file", where=path, expected="a calibration table", hint=_HINT)
    top = Fields(parse_json(path.read_bytes(), path), f"{path}: ")
    version = top.take("schema_version", str(SCHEMA_VERSION), lambda value: True)
    if type(version) is not int or version != SCHEMA_VERSION:
        raise top.unfit("schema_version", version, f"{SCHEMA_VERSION}, the only one that this release reads", _HINT)
    top.only(["schema_version", *Origin.__dataclass_fields__, "harmless", "tensors"])
    origin = Origin(
        graph_sha256=top.matching("graph_sha256", _SHA256, "64 lower-case hexadecimal digits"),
        model=top.text("model"),
        sampler=top.text("sampler"),
        steps=top.integer("steps", 1, 10_000),
        images_sha256=top.matching("images_sha256", _SHA256, "64 lower-case hexadecimal digits"),
        images=top.integer("images", 1, 10**9),
        fidelities=_numbers(top, "fidelities", 0, 1),
        method=top.choice("method", METHOD_CHOICES),
        code_version=top.text("code_version"),
    )
    tensors = top.child("tensors")
    harmless = top.take("harmless", "a list of names of tensors", _are_names)
    return CalibrationTable(origin, {name: _tensor(tensors.child(name)) for name in tensors.raw}, tuple(harmless))


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _tensor(fields: Fields) -> TensorRanges:
    fields.only(["min", "max", "count", "zeros", "quantiles", "asymmetric", "symmetric"])
    low, high = _limits(fields)
    return TensorRanges(
        minimum=low,
        maximum=high,
        count=fields.integer("count", 1, 2**63),
        zeros=fields.number("zeros", 0, 1),
        quantiles=_numbers(fields, "quantiles", -LARGEST, LARGEST, length=len(QUANTILES)),
        asymmetric=_choice(fields.child("asymmetric"), symmetric=False),
        symmetric=_choice(fields.child("symmetric"), symmetric=True),
    )


def _choice(fields: Fields, *, symmetric: bool) -> Choice:
    fields.only(["method", *(["amax"] if symmetric else ["min", "max"]), "error"])
    method = str(fields.choice("method", (*METHODS, REFINED)))
    if symmetric:
        amax = fields.number("amax", 0, LARGEST)
        low, high = -amax, amax
    else:
        low, high = _limits(fields)
    return Choice(method, low, high, fields.number("error", 0, LARGEST))


def _limits(fields: Fields) -> Range:
    low = fields.number("min", -LARGEST, LARGEST)
    return low, fields.number("max", low, LARGEST)


def _numbers(fields: Fields, name: str, low: float, high: float, *, length: int | None = None) -> tuple[float, ...]:
    def fits(value: object) -> bool:
        return (
            isinstance(value, list)
            and (len(value) == length if length else bool(value))
            and all(type(number) in (int, float) and low <= number <= high for number in value)
        )

    rule = f"a list of {length or ''} numbers from {low:g} to {high:g}".replace("  ", " ")
    return tuple(map(float, fields.take(name, rule, fits)))


def _tensor_record(each: TensorRanges) -> dict[str, object]:
    asymmetric, symmetric = each.asymmetric, each.symmetric
    return {
        "min": each.minimum,
        "max": each.maximum,
        "count": each.count,
        "zeros": each.zeros,
        "quantiles": list(each.quantiles),
        "asymmetric": {
            "method": asymmetric.method,
            "min": asymmetric.low,
            "max": asymmetric.high,
            "error": asymmetric.error,
        },
        "symmetric": {"method": symmetric.method, "amax": symmetric.high, "error": symmetric.error},
    }


def _quantile(histogram: Histogram, share: float) -> float:
    return histogram.without_tails(share)[0] if share < 0.5 else histogram.without_tails(1 - share)[1]


def _rounded_choice(choice: Choice) -> Choice:
    error = float(f"{choice.error:.4g}")
    return Choice(choice.method, rounded(choice.low), rounded(choice.high), error)


def rounded(value: float) -> float:
    """The number with the fewest digits that float32 reads back as the same; -0 becomes 0."""
    return float(str(np.float32(value))) + 0.0


def _short(value: object) -> str:
    if isinstance(value, str) and _SHA256.fullmatch(value):
        return f"{value[:12]}..."
    return (
        ", ".join(f"{each:g}" for each in value)
        if isinstance(value, Sequence) and not isinstance(value, str)
        else str(value)
    )
