"""The bars, held or missed: what a record of ``make bench`` is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

Record = Mapping[str, Any]

TIMES_FASTER = {"published-ddpm300": 500, "x4plus": 50, "compact": 4}  # file to file against array to array
OUTSIDE_MS = 2.2
COLD_START_MS = 600
PEAK_MB = 200
TIMES_FLOOR = 3
MB_OF_MIB = 1.048576
ROOFLINE, ROOFLINE_ONE = "judged", "judged, one thread"  # keys of the judged variant's, in the report


@dataclass(frozen=True)
class Bar:
    """wanted: a number and whether more or less is better. held: None where nothing was measured, and why says so."""

    name: str
    wanted: float
    unit: str
    at_least: bool
    measured: float | None
    why: str = ""

    @property
    def held(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "held": self.held}

    def __str__(self) -> str:
        word = {True: "held", False: "MISSED", None: "not measured"}[self.held]
        asked = f"{'at least' if self.at_least else 'at most'} {self.wanted:g} {self.unit}"
        found = f"{self.measured:.4g} {self.unit}" if self.measured is not None else self.why
        return f"{word:12} {self.name}: {found} ({asked})"


def bars(record: Record) -> list[Bar]:
    """All of them, of the default bundle's int8 engine."""
    ours = judged(record)
    limits = {ROOFLINE: "this processor", ROOFLINE_ONE: "one of its cores, built for one"}
    floors = [_roofline_bar(record, ours, key, whose) for key, whose in limits.items()]
    return [*_ratio_bars(record, ours), *_own_bars(ours), *floors]


def judged(record: Record) -> Record | None:
    """The variant that the bars are about."""
    return next((each for each in record["report"]["variants"] if each["key"] == record["judged"]), None)


def ratios(record: Record) -> list[dict[str, Any]]:
    """Of every peer that was timed and every variant of ours: how many times faster ours is, and cheaper in macs.

    file: the peer from array to array over ours from file to renamed file; array: both from array to array.
    """
    variants = record["report"]["variants"]
    return [
        {
            "peer": peer["key"],
            "variant": ours["key"],
            "file": _over(peer["latency"], ours["file_latency"]),
            "array": _over(peer["latency"], ours["latency"]),
            "macs": round(peer["macs"] / ours["macs"], 2) if peer["macs"] and ours["macs"] else None,
        }
        for peer in variants
        for ours in variants
        if peer["peer"] and not ours["peer"]
    ]


def _over(peer: Record, ours: Record | None) -> float | None:
    return None if ours is None else round(peer["p50_ms"] / ours["p50_ms"], 3)


def _ratio_bars(record: Record, ours: Record | None) -> Iterator[Bar]:
    faster = {each["peer"]: each["file"] for each in ratios(record) if ours and each["variant"] == ours["key"]}
    failed = {each["key"]: each["failed"] for each in record["peers"]}
    for peer, wanted in TIMES_FASTER.items():
        why = "" if peer in faster else "no int8 engine" if ours is None else failed.get(peer) or "was not asked for"
        yield Bar(f"times faster than {peer}", wanted, "times", True, faster.get(peer), why)


def _own_bars(ours: Record | None) -> Iterator[Bar]:
    why = "no int8 engine" if ours is None else "was not asked for"
    given = ours or {}
    outside_ms = given.get("outside_session_ms")
    if outside_ms is not None:  # and what of the model's call is not its session's
        outside_ms += given["file_latency"]["phases_p50_ms"].get("queue", 0.0)
    yield Bar("time outside the session, one 64x64 PNG", OUTSIDE_MS, "ms", False, outside_ms, why)
    cold_ms = (given.get("opening") or {}).get("cold_start_ms")
    yield Bar("cold start of edge-sr run, one picture", COLD_START_MS, "ms", False, cold_ms, why)
    peak_mib = (given.get("memory") or {}).get("peak_mib")
    peak_mb = None if peak_mib is None else round(peak_mib * MB_OF_MIB, 1)
    yield Bar("peak memory of edge-sr run, 64x64", PEAK_MB, "MB", False, peak_mb, why)


def _roofline_bar(record: Record, ours: Record | None, key: str, whose: str) -> Bar:
    measured = ((record["report"].get("roofline") or {}).get(key) or {}).get("measured")
    why = "no int8 engine" if ours is None else "was not measured"
    times = None if measured is None else measured["times_floor"]
    return Bar(f"session over the int8 floor of {whose}", TIMES_FLOOR, "times", False, times, why)
