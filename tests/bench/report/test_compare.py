from __future__ import annotations

import dataclasses

from edge_sr.bench.report import compare
from edge_sr.bench.report.compare import Change, Comparison
from edge_sr.bench.schema import Report
from tests.bench.report import toy


def change(found: Comparison, key: str, figure: str) -> Change:
    (variant,) = (each for each in found.variants if each.key == key)
    (found_change,) = (each for each in variant.changes if each.figure == figure)
    return found_change


def slower() -> Report:
    return toy.small(variants=(toy.variant("int8-1", 4.826, quality=toy.quality(34.37, 0.8)),))


def test_times_are_ratios_and_quality_is_a_difference() -> None:
    found = compare(toy.small(), slower())
    assert change(found, "int8-1", "p50").told == ("2.41", "4.83", "2.000x")
    assert change(found, "int8-1", "psnr").told == ("34.87", "34.37", "-0.50")


def test_what_is_new_and_what_is_gone_is_named() -> None:
    found = compare(toy.small(), toy.whole())
    assert found.new == ("int8-4", "bicubic", "peer-x4plus") and found.gone == ()
    assert "Only in then.json: fp32-1" in compare(toy.small(), slower(), names=("then.json", "now.json")).text()


def test_what_one_side_has_not_measured_has_no_change() -> None:
    found = compare(toy.small(), toy.whole())
    assert change(found, "fp32-1", "psnr").told == ("–", "34.95", "–")


def test_conditions_that_differ_are_told_with_both_values() -> None:
    other = toy.small(conditions=toy.conditions(power_mode="15W"))
    assert [str(each) for each in compare(toy.small(), other).conditions] == ["power mode: 25W against 15W"]
    assert "Conditions: alike." in compare(toy.small(), toy.small()).text()


def test_one_key_run_in_two_ways_is_told() -> None:
    other = toy.small(variants=(toy.variant("int8-1", 2.4, threads=1),))
    (variant,) = compare(toy.small(), other).variants
    assert [str(each) for each in variant.apart] == ["threads: 2 against 1"]


def test_markdown_has_a_table_a_variant_and_stands_hostile_titles() -> None:
    bad = dataclasses.replace(slower().variants[0], title="x | y <b>")
    text = compare(toy.small(), toy.small(variants=(bad,))).markdown()
    assert "#### x \\| y &lt;b&gt;" in text
    assert "| p50, a picture in memory, ms | 2.41 | 4.83 | 2.000x |" in text


def test_simulated_is_said() -> None:
    assert compare(toy.small(), toy.small(simulated=True)).text().startswith("SIMULATED")
