"""The charts, as the XML that they are."""

from __future__ import annotations

import dataclasses
from xml.etree import ElementTree

import pytest

from edge_sr.bench.report.charts.axis import Axis, around, clipped, from_zero, of_times
from edge_sr.bench.report.charts.latency import BINS, distributions, side_by_side
from edge_sr.bench.report.charts.pareto import Point, front, pareto
from edge_sr.bench.report.charts.phases import colour, stacked
from edge_sr.bench.report.charts.power import MOST_POINTS, power_over_time, thinned
from edge_sr.bench.report.charts.tenths import tenths
from edge_sr.bench.report.charts.throughput import by_batch
from edge_sr.bench.schema import Throughput
from tests.bench.report import toy

NAMED = {"name": "n", "title": "t"}
POINTS = [
    Point(1, "a", 2.0, 34.0, 33.8, 34.2),
    Point(2, "b", 3.0, 33.0, 32.8, 33.2),
    Point(3, "c", 9.0, 35.0, 34.8, 35.2),
]


def rects(svg: str, fill: str) -> list[ElementTree.Element]:
    return [each for each in ElementTree.fromstring(svg).iter("rect") if each.get("fill") == fill]


def widths(svg: str, fill: str = "var(--series)") -> list[float]:
    return [float(each.get("width", "")) for each in rects(svg, fill)]


def test_near_times_stand_on_a_line_from_zero() -> None:
    axis = of_times([2.0, 8.0], 0, 84)
    assert (axis.logarithmic, axis.at(4.0)) == (False, 40.0)


def test_far_times_stand_on_a_logarithmic_line() -> None:
    axis = of_times([1.0, 1000.0], 0, 100)
    assert axis.logarithmic
    assert axis.at(10) - axis.at(1) == pytest.approx(axis.at(100) - axis.at(10), abs=0.02)
    assert axis.ticks() == [1.0, 10.0, 100.0, 1000.0]


@pytest.mark.parametrize(("low", "high", "ticks"), [(0, 10, [0, 2, 4, 6, 8, 10]), (31.2, 34.9, [32, 33, 34])])
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert Axis(low, high, 0, 100).ticks() == ticks


@pytest.mark.parametrize("values", [[0.0], [3.0], [3.0, 3.0]])
def test_equal_values_still_have_an_axis(values: list[float]) -> None:
    for axis in (from_zero(values, 0, 10), around(values, 0, 10)):
        assert axis.high > axis.low and axis.ticks()


def test_a_value_beyond_the_ends_stays_inside() -> None:
    assert Axis(0, 10, 0, 100).at(11) == 100


def test_a_long_name_leaves_room() -> None:
    assert clipped("x" * 60, 10) == "x" * 9 + "…"


def test_bars_are_as_long_as_the_medians() -> None:
    short, long = widths(side_by_side([("a", toy.times(2.0)), ("b", toy.times(6.0))], **NAMED))
    assert long == pytest.approx(3 * short, rel=0.01)


def test_a_histogram_counts_every_sample() -> None:
    times = dataclasses.replace(toy.times(2.0), samples_ms=(1.0,) * 30 + (2.0,) * 10, p99_ms=2.0, p50_ms=1.0)
    bars = rects(distributions([("a", times)], **NAMED), "var(--series)")
    heights = sorted(float(each.get("height", "")) for each in bars)
    assert len(bars) == 2 and heights[1] == pytest.approx(3 * heights[0], rel=0.01)


def test_an_outlier_does_not_flatten_a_histogram() -> None:
    times = toy.times(2.0)
    wild = dataclasses.replace(times, samples_ms=(*times.samples_ms, 900.0), most_ms=900.0)
    assert len(rects(distributions([("a", wild)], **NAMED), "var(--series)")) > BINS / 2


def test_below_100_calls_p95_is_marked() -> None:
    times = dataclasses.replace(toy.times(2.0), p99_ms=None)
    assert "p95" in distributions([("a", times)], **NAMED)


def test_phases_stand_after_one_another() -> None:
    times = toy.times(4.0)
    svg = stacked([("a", times)], **NAMED)
    compute = rects(svg, colour("compute"))[1]  # the first is the legend's
    prepare = rects(svg, colour("prepare"))[1]
    end = float(prepare.get("x", "")) + float(prepare.get("width", ""))
    assert 0 < float(compute.get("x", "")) - end < 1
    ratio = float(compute.get("width", "")) / float(prepare.get("width", ""))
    assert ratio == pytest.approx(times.phases_p50_ms["compute"] / times.phases_p50_ms["prepare"], rel=0.1)


def test_as_shares_all_bars_are_equally_long() -> None:
    svg = stacked([("a", toy.times(4.0)), ("b", toy.times(400.0))], shares=True, **NAMED)
    _, one, other = (float(each.get("width", "")) for each in rects(svg, colour("compute")))
    assert one == pytest.approx(other, abs=0.02)


def test_the_front_leaves_out_what_another_beats_in_both() -> None:
    assert [point.number for point in front(POINTS, more_is_better=True)] == [1, 3]
    assert [point.number for point in front(POINTS, more_is_better=False)] == [1, 2]


def test_the_better_is_above_either_way() -> None:
    for more, best in ((True, "3"), (False, "2")):
        svg = pareto(POINTS, unit="dB", more_is_better=more, **NAMED)
        marks = [each for each in ElementTree.fromstring(svg).iter("text") if each.get("class") == "on-mark"]
        assert min(marks, key=lambda each: float(each.get("y", ""))).text == best


def test_marks_do_not_hide_each_other() -> None:
    same = [dataclasses.replace(POINTS[0], number=n) for n in range(1, 6)]
    svg = pareto(same, unit="dB", **NAMED)
    marks = [each for each in ElementTree.fromstring(svg).iter("circle") if each.get("r") == "8"]
    assert len({(each.get("cx"), each.get("cy")) for each in marks}) == 5


def test_a_darker_tenth_hangs_below_zero_and_a_great_shift_is_marked() -> None:
    svg = tenths([-0.1, 0.1, None, 0.4], **NAMED)
    darker, brighter = rects(svg, "var(--series)")
    assert float(darker.get("y", "")) > float(brighter.get("y", ""))
    assert len(rects(svg, "var(--bad)")) == 1


def test_tiny_shifts_are_not_blown_up() -> None:
    (bar,) = rects(tenths([0.001], **NAMED), "var(--series)")
    assert float(bar.get("height", "")) < 2


def test_power_is_thinned_by_means() -> None:
    samples = [(n / 10, 5.0 + n % 2) for n in range(2000)]
    thin = thinned(samples)
    assert len(thin) <= MOST_POINTS
    assert sum(watts for _, watts in thin) / len(thin) == pytest.approx(5.5, abs=0.01)


def test_power_shows_who_worked_when() -> None:
    svg = power_over_time(toy.power(), {"int8-1": 1, "int8-4": 2, "fp32-1": 3}, **NAMED)
    told = [each.text for each in ElementTree.fromstring(svg).iter("text")]
    assert [each for each in told if each in ("1", "2", "3")] == ["1", "2", "3"] * 2


def test_throughput_has_a_bar_a_batch_and_one_streamed() -> None:
    svg = by_batch([("a", (Throughput(1, 100.0, 10.0), Throughput(4, 200.0, 20.0)), 150.0)], **NAMED)
    one, four = widths(svg)
    assert four == pytest.approx(2 * one, rel=0.01)
    assert len(widths(svg, "var(--second)")) == 1
