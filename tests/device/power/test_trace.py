"""Integration against closed forms. Times in seconds, power in watts."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from edge_sr.device.power.trace import Figures, Trace, between


def filled(value: Callable[[float], float], times: np.ndarray, *, counts_energy: bool = False, **rails: float) -> Trace:
    trace = Trace(counts_energy=counts_energy, longest_gap_s=0.5)
    for time_s in times:
        trace.add(float(time_s), {"total": value(float(time_s)), **rails})
    return trace


def window(trace: Trace, start_s: float, end_s: float) -> Figures | None:
    return between(trace.at(start_s), trace.at(end_s))


def energy_j(trace: Trace, start_s: float, end_s: float) -> float:
    figures = window(trace, start_s, end_s)
    assert figures is not None
    return figures.energy_j


AT_20_HZ = np.arange(0, 10.01, 0.05)


@pytest.mark.parametrize(("start", "end"), [(0, 10), (1, 2), (1.013, 1.987), (3.01, 3.02), (0.049, 0.051)])
def test_constant_power_is_power_times_time(start: float, end: float) -> None:
    assert energy_j(filled(lambda t: 7.5, AT_20_HZ), start, end) == pytest.approx(7.5 * (end - start), rel=1e-9)


@pytest.mark.parametrize(("start", "end"), [(0, 10), (1.013, 1.987), (3.01, 3.02)])
def test_a_ramp_is_exact_also_between_readings(start: float, end: float) -> None:
    exact = 2 * (end - start) + 3 * (end**2 - start**2) / 2
    assert energy_j(filled(lambda t: 2 + 3 * t, AT_20_HZ), start, end) == pytest.approx(exact, rel=1e-9)


def test_readings_at_odd_times_do_not_matter_for_a_ramp() -> None:
    times = np.sort(np.random.default_rng(0).uniform(0, 10, 300))
    trace = filled(lambda t: 2 + 3 * t, times)
    assert energy_j(trace, 1, 9) == pytest.approx(2 * 8 + 3 * (81 - 1) / 2, rel=1e-9)


def test_a_sine_is_as_close_as_the_trapezoid_rule_promises() -> None:
    trace = filled(lambda t: 10 + 5 * math.sin(t), AT_20_HZ)
    exact = 10 * 8 - 5 * (math.cos(9) - math.cos(1))
    assert abs(energy_j(trace, 1, 9) - exact) <= 8 * 0.05**2 / 12 * 5  # (b - a) h^2 / 12 max |f''|


def test_parts_add_up_to_the_whole() -> None:
    trace = filled(lambda t: 10 + 5 * math.sin(9 * t), AT_20_HZ)
    parts = [energy_j(trace, start, start + 0.123) for start in np.arange(1, 1 + 10 * 0.123 - 1e-9, 0.123)]
    assert sum(parts) == pytest.approx(energy_j(trace, 1, 1 + 10 * 0.123), rel=1e-9)


def test_a_counter_is_read_off_whatever_the_power_did() -> None:
    trace = filled(lambda t: 100 + t**3, AT_20_HZ, counts_energy=True)
    assert energy_j(trace, 2, 8) == pytest.approx(8**3 - 2**3)
    assert energy_j(trace, 2.01, 2.02) == pytest.approx((2.05**3 - 2**3) * 0.01 / 0.05)


def test_power_of_a_counter_is_the_mean_since_the_last_reading() -> None:
    assert filled(lambda t: 8 * t, AT_20_HZ[:2], counts_energy=True).newest_w == pytest.approx({"total": 8.0})
    assert filled(lambda t: 8 * t, AT_20_HZ[:1], counts_energy=True).newest_w == {}


def test_rails_have_means_of_their_own() -> None:
    figures = window(filled(lambda t: 10, AT_20_HZ, VDD_SOC=1.5), 1, 2)
    assert figures is not None and figures.mean_w == pytest.approx({"total": 10, "VDD_SOC": 1.5})
    assert (figures.seconds, figures.readings) == (1, 20)


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 11), (20, 21), (5, 5), (6, 5)])
def test_a_window_that_readings_do_not_cover_has_no_energy(start: float, end: float) -> None:
    assert window(filled(lambda t: 10, AT_20_HZ), start, end) is None


def test_nothing_read_is_nothing_known() -> None:
    trace = Trace(counts_energy=False, longest_gap_s=0.5)
    assert (trace.at(1), trace.first_after(1), trace.newest_s, trace.newest_w) == (None, None, None, {})


def test_across_a_gap_nothing_is_known_and_on_either_side_everything() -> None:
    trace = filled(lambda t: 10, np.concatenate([np.arange(0, 2.01, 0.05), np.arange(5, 7.01, 0.05)]))
    assert window(trace, 1, 6) is None and window(trace, 1, 3) is None and window(trace, 3, 6) is None
    assert energy_j(trace, 1, 1.5) == pytest.approx(5) == energy_j(trace, 5.5, 6)


def test_a_rail_that_comes_or_goes_ends_a_piece() -> None:
    trace = filled(lambda t: 10, AT_20_HZ)
    trace.add(10.05, {"total": 10, "new": 1})
    assert window(trace, 9, 10.05) is None


@pytest.mark.parametrize("leap", [-50.0, 1e9])
def test_a_counter_that_leaps_ends_a_piece(leap: float) -> None:
    trace = filled(lambda t: 10 * t + (leap if t > 5 else 0), AT_20_HZ, counts_energy=True)
    assert window(trace, 4, 6) is None
    assert energy_j(trace, 6, 7) == pytest.approx(10)


def test_time_that_stands_still_adds_nothing() -> None:
    trace = filled(lambda t: 10, np.array([1.0, 1.1, 1.1, 1.05, 1.2]))
    assert energy_j(trace, 1, 1.2) == pytest.approx(2)


def test_a_mark_outlives_the_readings_it_came_from() -> None:
    trace = Trace(counts_energy=False, longest_gap_s=0.5, capacity=8)
    start = None
    for step in range(1000):
        trace.add(step * 0.1, {"total": 10.0})
        start = start or trace.at(0.05)
    figures = between(start, trace.at(99.85))
    assert trace.at(0.05) is None
    assert figures is not None and figures.energy_j == pytest.approx(998)


def test_every_reading_that_is_kept_can_be_shown() -> None:
    trace = Trace(counts_energy=False, longest_gap_s=1.0)
    for time_s, watts in ((0.0, 5.0), (0.5, 7.0)):
        trace.add(time_s, {"total": watts})
    assert trace.powers_w == [(0.0, 5.0), (0.5, 7.0)]


def test_of_a_counter_the_first_reading_tells_no_power() -> None:
    trace = Trace(counts_energy=True, longest_gap_s=1.0)
    for time_s, joules in ((0.0, 100.0), (0.5, 104.0)):
        trace.add(time_s, {"total": joules})
    assert trace.powers_w == [(0.5, 8.0)]
