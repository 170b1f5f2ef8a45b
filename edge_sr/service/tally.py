"""What became of the jobs since the start: counts by result and reason, and where the last ones' time went."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

DONE, QUARANTINED, LATER, PUT_BACK = "done", "quarantined", "later", "put-back"
KEPT = 256  # jobs that the percentiles are of


@dataclass(frozen=True)
class JobEnd:
    """How one job left the stages.

    result: DONE, QUARANTINED (for good), LATER (a passing fault: it is tried again), PUT_BACK (the service stops).
    reason: a code, "" for done. phases_ms: as far as it came. total_ms: from the claim to here.
    pixels: (width, height) of the result, None without one.
    """

    job: str
    result: str
    reason: str = ""
    phases_ms: Mapping[str, float] = field(default_factory=dict)
    total_ms: float = 0.0
    pixels: tuple[int, int] | None = None
    provenance: Mapping[str, object] = field(default_factory=dict)


class Tally:
    """For one thread."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self.last_done_s: float | None = None  # of the clock that ``add`` is told
        self._last: deque[JobEnd] = deque(maxlen=KEPT)

    def add(self, end: JobEnd, now_s: float) -> None:
        self.counts[end.result, end.reason] += 1
        if end.result == DONE:
            self.last_done_s = now_s
            self._last.append(end)

    def total(self, result: str) -> int:
        return sum(count for (each, _), count in self.counts.items() if each == result)

    def to_json(self) -> dict[str, object]:
        rows = [{"result": result, "reason": reason, "count": n} for (result, reason), n in sorted(self.counts.items())]
        return {"done": self.total(DONE), "quarantined": self.total(QUARANTINED), "by_reason": rows}

    def last_to_json(self) -> dict[str, object]:
        """p50 and p95 of each phase over the last KEPT results, and of the whole way."""
        times: dict[str, list[float]] = {}
        for end in self._last:
            for name, ms in {**end.phases_ms, "total": end.total_ms}.items():
                times.setdefault(name, []).append(ms)
        figures = {
            name: {"p50": round(percentile(ms, 50), 3), "p95": round(percentile(ms, 95), 3)}
            for name, ms in times.items()
        }
        return {"count": len(self._last), "phases_ms": figures}


def percentile(values: Sequence[float], percent: float) -> float:
    """The least value that so many per cent do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]
