"""What every power meter looks like from the sampler."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edge_sr.errors import EnvironmentFault

TOTAL = "total"  # the key of what counts; all others are rails
LARGEST_W = 10_000.0  # above this a reading is rubbish


class MeterFault(EnvironmentFault):
    """A meter is not there, or a reading failed. A run goes on without it."""


@dataclass(frozen=True)
class Reading:
    """What a source tells in one moment.

    values: by rail, and under TOTAL; watts, or for a meter that counts energy joules since some moment of its own.
    temperatures_c, clocks_mhz, power_mode, jetson_clocks, throttling: what the source tells beside, else empty or None.
    throttling: the reasons why clocks are held down now; () for none, None where it does not say.
    """

    values: Mapping[str, float]
    temperatures_c: Mapping[str, float] = field(default_factory=dict)
    clocks_mhz: Mapping[str, float] = field(default_factory=dict)
    power_mode: str | None = None
    jetson_clocks: bool | None = None
    throttling: tuple[str, ...] | None = None


class Meter(Protocol):
    """One source of power readings. Making one raises MeterFault where the source is not there.

    name: as in ``--meter``. covers: which part of the machine TOTAL is the power of, in words.
    interval_s: from one reading to the next; 0 where ``read`` itself waits for the next.
    longest_gap_s: two readings further apart than this are not joined: what lay between is unknown.
    counts_energy: readings are joules that only rise, rather than watts.
    """

    name: str
    covers: str
    interval_s: float
    longest_gap_s: float
    counts_energy: bool

    def read(self) -> Reading:
        """What the source tells now. MeterFault where it tells nothing."""

    def close(self) -> None:
        """Let the source go. It is called by the thread that reads, after the last reading."""


def checked(values: Mapping[str, float], *, counts_energy: bool, where: str) -> Mapping[str, float]:
    """The values as they are. MeterFault where one cannot be true, or there is no total."""
    if TOTAL not in values:
        raise MeterFault("a reading without a total", where=where)
    for rail, value in values.items():
        if not math.isfinite(value) or (not counts_energy and abs(value) > LARGEST_W):
            raise MeterFault(f"{rail} reads {value:g}", where=where, expected="watts that can be")
    return values
