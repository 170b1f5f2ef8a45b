from __future__ import annotations

import numpy as np
import pytest

from edge_sr.bench.bootstrap import patient_bootstrap, ratio_bootstrap


def test_the_mean_is_over_pictures() -> None:
    assert patient_bootstrap(np.array([1.0, 2.0, 6.0]), ["a", "a", "b"]).mean == pytest.approx(3.0)


def test_the_interval_of_equal_values_has_no_width() -> None:
    interval = patient_bootstrap(np.full(5, 2.5), list("abcde"))
    assert (interval.low, interval.high) == pytest.approx((2.5, 2.5))


def test_the_interval_is_about_two_standard_errors_each_way() -> None:
    values = np.random.default_rng(0).standard_normal(400)
    interval = patient_bootstrap(values, [str(i) for i in range(400)])
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_pictures_of_one_patient_are_drawn_together() -> None:
    of_patient = np.random.default_rng(0).standard_normal(50)
    repeated = patient_bootstrap(np.repeat(of_patient, 4), [str(i) for i in range(50) for _ in range(4)])
    once = patient_bootstrap(of_patient, [str(i) for i in range(50)])
    assert repeated.high - repeated.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_the_same_patients_are_drawn_for_every_metric() -> None:
    values, patients = np.random.default_rng(0).standard_normal(30), [str(i // 2) for i in range(30)]
    plain, shifted = patient_bootstrap(values, patients), patient_bootstrap(values + 1, patients)
    assert (shifted.low, shifted.high) == pytest.approx((plain.low + 1, plain.high + 1))


def test_a_ratio_is_of_the_sums_and_its_interval_of_patients() -> None:
    above, below = np.array([1.0, 1.0, 8.0]), np.array([1.0, 1.0, 2.0])
    interval = ratio_bootstrap(above, below, ["a", "a", "b"])
    assert interval.mean == pytest.approx(10 / 4)
    assert (interval.low, interval.high) == pytest.approx((1.0, 4.0))  # patient a alone, patient b alone


def test_a_ratio_to_nothing_is_one() -> None:
    interval = ratio_bootstrap(np.zeros(3), np.zeros(3), list("abc"))
    assert (interval.mean, interval.low, interval.high) == (1.0, 1.0, 1.0)
