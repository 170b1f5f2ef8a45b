"""What a device can do at most: from NVIDIA's figures in devices.json, or measured (``this_cpu``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

from edge_sr.artifacts.strict_json import Fields, parse_json
from edge_sr.bench.roofline.work import PRECISIONS
from edge_sr.errors import UsageError

THIS_CPU = "this-cpu"
FILE = Path(__file__).with_name("devices.json")
NUMBERS = ("gb_s", "launch_us", "power_w", *(f"tops_{precision}" for precision in PRECISIONS))


@dataclass(frozen=True)
class Device:
    """One machine in one power mode.

    tops: dense 10^12 operations a second by precision, a multiply-accumulate being two; a precision that is missing
    is one that it has no arithmetic for. gb_s: 10^9 bytes a second between memory and processor, reading and writing
    together. launch_us: what a launch costs beside its work. power_w: what the module is allowed to draw, None where
    that is not known. fuses: whether a compiler puts several nodes into one launch. sources: of each of NUMBERS.
    """

    name: str
    title: str
    tops: Mapping[str, float]
    gb_s: float
    launch_us: float
    power_w: float | None
    fuses: bool
    measured: bool = False
    sources: Mapping[str, str] = field(default_factory=dict)

    def peak(self, precision: str) -> float:
        """Operations a second. UsageError where there is no such arithmetic."""
        if precision not in self.tops:
            raise UsageError(f"no {precision} arithmetic", where=self.name, expected=", ".join(self.tops))
        return self.tops[precision] * 1e12

    def to_json(self) -> dict[str, object]:
        return asdict(self)


def devices() -> dict[str, Device]:
    """Those that are known without measuring, by name; THIS_CPU is not among them."""
    return dict(_read(FILE))


def device_named(name: str) -> Device:
    """UsageError where there is none of that name in devices.json."""
    known = devices()
    if name not in known:
        raise UsageError(f"no such device: {name}", where="--roofline", expected=", ".join((*known, THIS_CPU)))
    return known[name]


@cache
def _read(path: Path) -> Mapping[str, Device]:
    top = Fields(parse_json(path.read_bytes(), path), f"{path.name}: ")
    return {name: _device(name, top.child(name)) for name in top.raw}


def _device(name: str, raw: Fields) -> Device:
    """Every number is an object of a value and its source."""
    raw.only(("title", *NUMBERS))
    numbers = {number: raw.child(number) for number in NUMBERS}
    values = {number: each.number("value", 0, 1e6) for number, each in numbers.items()}
    return Device(
        name=name,
        title=raw.text("title"),
        tops={precision: values[f"tops_{precision}"] for precision in PRECISIONS},
        gb_s=values["gb_s"],
        launch_us=values["launch_us"],
        power_w=values["power_w"],
        fuses=True,
        sources={number: each.text("source") for number, each in numbers.items()},
    )
