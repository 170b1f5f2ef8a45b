"""How much is measured, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DEFAULT_MINUTES, QUICK_MINUTES = 2.0, 0.3
DEFAULT_ROUNDS, QUICK_ROUNDS = 10, 3
DEFAULT_STARTS, QUICK_STARTS = 5, 2
BATCHES = (1, 2, 4, 8)
QUALITY_LIMIT = 100  # pictures
HR_SIDE = 256  # of the pictures of the quality figures, as in docs/evaluation.md; LR is then one tile


@dataclass(frozen=True)
class Plan:
    """minutes: of timing; opening, warming up, cold starts and quality come on top.

    batches: of the throughput. cold_starts: processes for each variant; 0 for none, and no memory figures then.
    quality: a folder of HR pictures; limit: that many of them, spread evenly; hr_side: what their smaller side is
    reduced to, 0 for as they are. lpips: its network. roofline: names of devices.
    """

    minutes: float = DEFAULT_MINUTES
    rounds: int = DEFAULT_ROUNDS
    batches: tuple[int, ...] = BATCHES
    cold_starts: int = DEFAULT_STARTS
    quality: Path | None = None
    limit: int = QUALITY_LIMIT
    hr_side: int = HR_SIDE
    lpips: Path | None = None
    panels: bool = True
    roofline: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lengths:
    """Seconds for all variants together."""

    latency_s: float
    throughput_s: float
    stream_s: float
    energy_s: float
    idle_s: float
    warm_up_s: float  # at most

    @classmethod
    def of(cls, minutes: float) -> Lengths:
        all_s = minutes * 60
        return cls(
            latency_s=all_s * 0.55,
            throughput_s=all_s * 0.2,
            stream_s=all_s * 0.05,
            energy_s=all_s * 0.15,
            idle_s=all_s * 0.05,
            warm_up_s=all_s * 0.3,
        )
