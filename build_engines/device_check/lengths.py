"""How long each step measures, out of the minutes that the whole run may take."""

from __future__ import annotations

from dataclasses import dataclass

QUICK_MINUTES = 1.0
DEFAULT_MINUTES = 5.0

# Shares of the minutes: three latencies, one round in turn, and of each of two engines all else.
_SHARES = 3 * 1.0 + 1.0 + 2 * (1.0 + 0.5 + 1.5 + 2.0) + 0.5


@dataclass(frozen=True)
class Lengths:
    """Seconds that one step of a kind measures, without opening, warming up and building, which take what they take."""

    latency_s: float
    in_turn_s: float
    overlap_s: float
    graph_s: float
    growth_s: float
    power_s: float
    idle_s: float
    picture_s: float

    @classmethod
    def of(cls, minutes: float) -> Lengths:
        """minutes: of measuring, in all."""
        unit_s = minutes * 60 / _SHARES
        return cls(
            latency_s=unit_s,
            in_turn_s=unit_s,
            overlap_s=unit_s,
            graph_s=unit_s / 2,
            growth_s=unit_s * 1.5,
            power_s=unit_s * 1.5,
            idle_s=unit_s / 2,
            picture_s=unit_s / 2,
        )
