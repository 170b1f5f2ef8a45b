"""What a tensor's values were, in a histogram that grows with them and keeps its size."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from edge_sr.errors import IntegrityError

CHUNK = 1 << 16  # values at a time, so that what is made of them stays in the processor's cache: five times as fast
BINS = 8192  # on each side of 0: 16 to 64 of them lie in one step of an 8-bit grid over the whole range
LEAST_EXPONENT = -100  # smaller values share the bins next to 0; 1 / width has to stay a float32


@dataclass
class Histogram:
    """The values of one tensor, batch by batch.

    Bin k of counts, from -BINS to BINS - 1, holds the values in [k * width, (k + 1) * width) but for those that are
    exactly 0, which every grid holds and which are counted apart. width is the least power of two under which all
    values fit. Twice the width merges neighbours two by two, without a rest: the counts depend neither on the order of
    the values nor on how they came in batches.
    """

    tensor: str
    width: float = 0.0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(2 * BINS, np.int64))
    zeros: int = 0
    minimum: float = np.inf
    maximum: float = -np.inf

    @property
    def count(self) -> int:
        """Of all values."""
        return self.zeros + int(self.counts.sum())

    @property
    def amax(self) -> float:
        return max(-self.minimum, self.maximum, 0.0)

    def observe(self, values: np.ndarray) -> None:
        """Count float32 values of any shape. Raises IntegrityError where one is NaN or infinite."""
        if values.size == 0:
            return
        least, greatest = float(values.min()), float(values.max())  # NaN comes through both
        if not (np.isfinite(least) and np.isfinite(greatest)):
            raise IntegrityError(
                "holds NaN or Inf", where=self.tensor, expected="finite activations", hint="edge-sr run"
            )
        self.minimum, self.maximum = min(self.minimum, least), max(self.maximum, greatest)
        self._widen(_width(self.amax))
        zeros = values.size - int(np.count_nonzero(values))
        flat, factor = values.ravel(), np.float32(1 / self.width)
        for start in range(0, flat.size, CHUNK):
            bins = np.floor(flat[start : start + CHUNK] * factor).astype(np.int64)  # exact: a power of two
            self.counts += np.bincount(bins + BINS, minlength=2 * BINS)
        self.counts[BINS] -= zeros
        self.zeros += zeros

    def merged(self, other: Histogram) -> Histogram:
        """The histogram of both."""
        both = Histogram(self.tensor, self.width, self.counts.copy(), self.zeros + other.zeros)
        both.minimum, both.maximum = min(self.minimum, other.minimum), max(self.maximum, other.maximum)
        both._widen(other.width)
        addend = Histogram(self.tensor, other.width, other.counts)
        addend._widen(both.width)
        both.counts += addend.counts
        return both

    def _widen(self, width: float) -> None:
        if self.width == 0:
            self.width = width  # nothing is counted yet
        while self.width < width:
            inner = self.counts.reshape(-1, 2).sum(1)  # (BINS,), bins -BINS/2 to BINS/2 - 1
            self.counts = np.pad(inner, BINS // 2)
            self.width *= 2

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Values and how often they came: the centres of the bins that hold any (float32), and 0."""
        used = np.flatnonzero(self.counts)
        centres = np.clip((used - BINS + 0.5) * self.width, self.minimum, self.maximum)
        return np.append(centres, 0).astype(np.float32), np.append(self.counts[used], self.zeros)

    def magnitudes(self, bins: int) -> tuple[np.ndarray, float]:
        """Counts of the absolute values other than 0 in ``bins`` bins, a divisor of BINS, and the width of those."""
        folded = self.counts[BINS:] + self.counts[:BINS][::-1]
        return folded.reshape(bins, -1).sum(1), self.width * BINS / bins

    def without_tails(self, share: float) -> tuple[float, float]:
        """The narrowest range of whole bins that leaves out at most this share of the values below it, and above."""
        counts = self.counts.copy()
        counts[BINS] += self.zeros
        allowed = share * self.count
        first = int(np.searchsorted(counts.cumsum(), allowed, side="right"))
        last = len(counts) - 1 - int(np.searchsorted(counts[::-1].cumsum(), allowed, side="right"))
        low, high = (first - BINS) * self.width, (last + 1 - BINS) * self.width
        return max(low, self.minimum), min(high, self.maximum)


def _width(amax: float) -> float:
    exponent = max(int(np.frexp(amax)[1]), LEAST_EXPONENT)  # amax < 2^exponent
    return float(np.ldexp(1.0, exponent) / BINS)
