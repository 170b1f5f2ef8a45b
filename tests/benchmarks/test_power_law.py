"""Known growth comes out again."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks.power_law import fit
from edge_sr.errors import UsageError

AMOUNTS = np.array([1, 2, 4, 8, 16, 32])


def test_an_exact_power_has_its_exponent_and_no_interval() -> None:
    found = fit(AMOUNTS, 3 * AMOUNTS**1.5)
    assert (found.exponent, found.low, found.high, found.r2) == (1.5, 1.5, 1.5, 1)


def test_the_interval_holds_the_truth_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    found = [fit(AMOUNTS, AMOUNTS * np.exp(0.1 * rng.normal(size=len(AMOUNTS)))) for _ in range(400)]
    inside = np.mean([each.low <= 1 <= each.high for each in found])
    assert 0.92 < inside < 0.98


def test_a_fixed_part_and_a_part_for_each_are_told_apart() -> None:
    found = fit(AMOUNTS, 5 + 2 * AMOUNTS)
    assert (found.fixed, found.each) == (pytest.approx(5), pytest.approx(2))
    assert found.exponent < 0.8


def test_two_points_are_no_curve() -> None:
    with pytest.raises(UsageError, match="2 different amounts; expected 3 or more"):
        fit([1, 2, 2], [1, 2, 2])
