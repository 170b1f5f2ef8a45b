"""Which method a tensor's range comes from: the one that does the least harm to values it has not seen."""

from __future__ import annotations

import math
from dataclasses import dataclass

from calibration.histogram import Histogram
from calibration.observers import METHODS, Grid
from edge_sr.errors import UsageError

AUTO = "auto"
METHOD_CHOICES = (AUTO, *METHODS)
REFINED = "end-to-end"  # a range found by its effect on the picture, from the one of a method


@dataclass(frozen=True)
class Observed:
    """One tensor on either half of the calibration pictures."""

    halves: tuple[Histogram, Histogram]

    @classmethod
    def of(cls, tensor: str) -> Observed:
        return cls((Histogram(tensor), Histogram(tensor)))

    @property
    def whole(self) -> Histogram:
        return self.halves[0].merged(self.halves[1])


@dataclass(frozen=True)
class Choice:
    """The range of one tensor on one kind of grid.

    error: root mean square of what rounding and clipping change, over that of the values; 0 for a tensor of zeros.
    """

    method: str
    low: float
    high: float
    error: float


def choose(observed: Observed, grid: Grid, method: str = AUTO) -> Choice:
    """The range of a tensor by one method, or by that of the least error.

    Measured on the values that a method read, ``mse`` would win by its definition. So each method reads one half of the
    pictures and is judged by its error on the other, and the other way round; the range itself is read off both.
    Raises UsageError for an unknown method.
    """
    if method not in METHOD_CHOICES:
        raise UsageError(f"no such method: {method}", expected=", ".join(METHOD_CHOICES))
    best = method if method != AUTO else min(METHODS, key=lambda name: _unseen_error(observed, grid, name))
    whole = observed.whole
    low, high = METHODS[best](whole, grid)
    return Choice(best, low, high, _relative(grid.squared_error(whole, low, high), whole))


def refined(observed: Observed, grid: Grid, low: float, high: float) -> Choice:
    """A range that was found by its effect on the picture."""
    whole = observed.whole
    return Choice(REFINED, low, high, _relative(grid.squared_error(whole, low, high), whole))


def _unseen_error(observed: Observed, grid: Grid, method: str) -> float:
    """Of both halves, each with the range of the other; with a single picture there is one half alone."""
    one, other = observed.halves
    folds = ((one, other), (other, one)) if one.count and other.count else ((observed.whole, observed.whole),)
    return sum(grid.squared_error(judge, *METHODS[method](fit, grid)) for fit, judge in folds)


def _relative(squared_error: float, histogram: Histogram) -> float:
    values, counts = histogram.points()
    power = float(values.astype(float) ** 2 @ counts)
    return math.sqrt(squared_error / power) if power else 0.0
