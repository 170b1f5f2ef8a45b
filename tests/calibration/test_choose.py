"""The method of each tensor: judged on what it has not read."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.choose import METHOD_CHOICES, REFINED, Observed, choose, refined
from calibration.observers import METHODS
from edge_sr.errors import UsageError
from tests.calibration.test_observers import GRIDS

ASYMMETRIC = GRIDS["asymmetric"]
RNG = np.random.default_rng(0)


def observed(one: np.ndarray, other: np.ndarray) -> Observed:
    seen = Observed.of("x")
    for half, values in zip(seen.halves, (one, other), strict=True):
        half.observe(values.astype(np.float32))
    return seen


def unseen_error(seen: Observed, method: str) -> float:
    one, other = seen.halves
    return sum(
        ASYMMETRIC.squared_error(judge, *METHODS[method](fit, ASYMMETRIC))
        for fit, judge in ((one, other), (other, one))
    )


@pytest.mark.parametrize(
    "values",
    [RNG.uniform(size=20_000), RNG.laplace(size=20_000), np.maximum(RNG.standard_normal(20_000), 0)],
    ids=["uniform", "laplace", "relu"],
)
def test_auto_takes_the_least_error_on_unseen_values(values: np.ndarray) -> None:
    seen = observed(values[::2], values[1::2])
    chosen = choose(seen, ASYMMETRIC)
    assert unseen_error(seen, chosen.method) == min(unseen_error(seen, method) for method in METHODS)
    assert (chosen.low, chosen.high) == METHODS[chosen.method](seen.whole, ASYMMETRIC)


def test_the_halves_change_places_without_effect() -> None:
    one, other = RNG.laplace(size=(2, 5000))
    assert choose(observed(one, other), ASYMMETRIC) == choose(observed(other, one), ASYMMETRIC)


def test_what_needs_no_clipping_is_not_clipped() -> None:
    levels = np.tile(np.arange(256) / 255, 40)  # a full grid: any other range is worse
    chosen = choose(observed(levels, levels), ASYMMETRIC)
    assert (chosen.low, chosen.high) == (0, 1)
    assert chosen.error < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_a_method_can_be_forced(method: str) -> None:
    seen = observed(*RNG.laplace(size=(2, 5000)))
    chosen = choose(seen, ASYMMETRIC, method)
    assert (chosen.method, (chosen.low, chosen.high)) == (method, METHODS[method](seen.whole, ASYMMETRIC))


def test_the_error_is_relative_to_the_values() -> None:
    values = RNG.standard_normal(20_000)
    small, large = (choose(observed(values[::2] * f, values[1::2] * f), ASYMMETRIC, "minmax") for f in (1, 1024))
    assert large.error == pytest.approx(small.error, rel=1e-3)
    step = (values.max() - values.min()) / 255
    assert small.error == pytest.approx(step / np.sqrt(12), rel=0.05)  # the values have a variance of 1


@pytest.mark.parametrize("method", METHOD_CHOICES)
def test_a_tensor_of_zeros_has_a_range_and_no_error(method: str) -> None:
    chosen = choose(observed(np.zeros(9), np.zeros(9)), ASYMMETRIC, method)
    assert (chosen.low, chosen.high, chosen.error) == (0, 0, 0)


def test_a_single_picture_is_enough() -> None:
    seen = Observed.of("x")
    seen.halves[0].observe(RNG.standard_normal(100).astype(np.float32))
    assert choose(seen, ASYMMETRIC).high > 1


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match="no such method: median; expected auto, minmax"):
        choose(observed(np.ones(1), np.ones(1)), ASYMMETRIC, "median")


def test_a_refined_range_is_kept_and_its_error_measured() -> None:
    values = RNG.laplace(size=2000)
    seen = observed(values[::2], values[1::2])
    whole = choose(seen, ASYMMETRIC, "minmax")
    same = refined(seen, ASYMMETRIC, whole.low, whole.high)
    assert (same.method, same.low, same.high) == (REFINED, whole.low, whole.high)
    assert same.error == whole.error
    assert refined(seen, ASYMMETRIC, whole.low / 8, whole.high / 8).error > 2 * whole.error
