"""How a cost grows: an exponent fitted to measured points, with its interval, and what is fixed in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_sr.errors import UsageError

# Quantiles of Student's t at 97.5 % for 1, 2, ... degrees of freedom (NIST Engineering Statistics Handbook, 1.3.6.7.2).
T_975 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
NORMAL_975 = 1.960
LEAST_POINTS = 3


@dataclass(frozen=True)
class Growth:
    """cost ~ amount ** exponent; low, high: its 95 % interval. r2: of the logarithms.

    fixed, each: cost ~ fixed + each * amount, fitted to relative errors: what a first one costs beside its own share.
    """

    points: int
    exponent: float
    low: float
    high: float
    r2: float
    fixed: float
    each: float


def fit(amounts: Sequence[float], costs: Sequence[float]) -> Growth:
    """Least squares of the logarithms. All above 0; UsageError for fewer than LEAST_POINTS different amounts."""
    if len(set(amounts)) < LEAST_POINTS:
        raise UsageError(f"{len(set(amounts))} different amounts", expected=f"{LEAST_POINTS} or more, to fit a line")
    x, y = np.log(amounts), np.log(costs)
    slope, start = np.polyfit(x, y, 1)
    rest = y - (start + slope * x)
    freedom = len(x) - 2
    error = np.sqrt(rest @ rest / freedom / np.sum((x - x.mean()) ** 2))
    half = error * (T_975[freedom - 1] if freedom <= len(T_975) else NORMAL_975)
    fixed, each = _line(np.asarray(amounts, float), np.asarray(costs, float))
    spread = np.sum((y - y.mean()) ** 2)
    return Growth(
        points=len(x),
        exponent=round(float(slope), 4),
        low=round(float(slope - half), 4),
        high=round(float(slope + half), 4),
        r2=round(float(1 - rest @ rest / spread), 5) if spread else 0.0,
        fixed=round(fixed, 5),
        each=round(each, 7),
    )


def _line(amounts: np.ndarray, costs: np.ndarray) -> tuple[float, float]:
    """fixed, each; every point weighs alike whatever its size."""
    each, fixed = np.polyfit(amounts, costs, 1, w=1 / costs)
    return float(fixed), float(each)
