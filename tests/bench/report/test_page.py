"""The page, as the XML that it also is."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from edge_sr.bench.report import html
from edge_sr.bench.report.numbers import fixed, significant
from edge_sr.bench.schema import Report, Variant
from tests.bench.report import toy

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;'


def parsed(report: Report) -> ElementTree.Element:
    page = html(report)
    head, body = page.split("\n", 1)
    assert head == "<!DOCTYPE html>"
    return ElementTree.fromstring(body)


def words(report: Report) -> str:
    return " ".join("".join(parsed(report).itertext()).split())


class Strict(HTMLParser):
    """What is open at the end, and every attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        self.attributes += attrs

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("report", [toy.small(), toy.whole(), toy.small(variants=())])
def test_every_element_is_closed(report: Report) -> None:
    reader = Strict()
    reader.feed(html(report))
    assert reader.open == []


def test_it_asks_for_nothing_and_runs_nothing() -> None:
    reader = Strict()
    page = html(toy.whole())
    reader.feed(page)
    references = [value for name, value in reader.attributes if name in ("href", "src", "xlink:href")]
    assert references
    assert all(value and value.startswith(("#picture-", "data:image/png;base64,")) for value in references)
    assert not re.search(r"https?:|<script|@import|url\(|\bon[a-z]+=", page)


def test_the_policy_forbids_what_the_page_does_not_need() -> None:
    (policy,) = (each.get("content", "") for each in parsed(toy.small()).iter("meta") if each.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert "script" not in policy


def test_names_are_unique_and_every_chart_is_told() -> None:
    root = parsed(toy.whole())
    names = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(names) == len(set(names))
    for chart in (each for each in root.iter("svg") if each.get("aria-labelledby")):
        assert set(chart.get("aria-labelledby", "").split()) <= set(names)
    told = [each for each in root.iter("svg") if each.get("aria-hidden") != "true"]
    assert told and all(each.get("aria-labelledby") or each.get("aria-label") for each in told)


def numbers_of(variant: Variant) -> list[str]:
    """What a reader of the page must find, as it is told there."""
    times = [variant.latency] + ([variant.file_latency] if variant.file_latency else [])
    told = [significant(getattr(each, f"{name}_ms")) for each in times for name in ("p50", "p90", "p95", "p99", "mean")]
    told += [significant(each) for times_of in times for each in times_of.phases_p50_ms.values()]
    told += [significant(getattr(variant.opening, f"{name}_ms")) for name in ("open", "first_call", "cold_start")]
    told += [significant(each.pictures_per_s) for each in variant.throughput]
    told.append(significant(variant.stream_pictures_per_s))
    if variant.memory:
        told += [significant(variant.memory.peak_mib), significant(variant.memory.steady_mib)]
    if variant.energy:
        told += [significant(variant.energy.joules_per_picture), significant(variant.energy.idle_w)]
    if variant.quality:
        told += [fixed(variant.quality.metrics["psnr_db"].low, 2), fixed(variant.quality.metrics["lpips"].mean, 4)]
        against = variant.quality.against_float32
        told += [fixed(each, 3, sign=True) for each in against.shift_by_decile] if against else []
    return told


def test_every_figure_of_every_variant_is_there() -> None:
    report = toy.whole()
    text = words(report)
    assert [figure for variant in report.variants for figure in numbers_of(variant) if figure not in text] == []


def test_conditions_options_and_power_are_there() -> None:
    text = words(toy.whole())
    for told in ("Cortex-A78AE", "onnxruntime1.23.2", "57.75", "0.140 before, 1.83 after", "rounds7", "ina3221"):
        assert told in text


def test_warnings_stand_before_the_first_figure() -> None:
    page = html(toy.whole())
    assert page.index("fix it with jetson_clocks") < page.index("<main>") < page.index("<table>")


def test_simulated_is_said_and_only_then() -> None:
    assert "SIMULATED" in words(toy.small(simulated=True))
    assert "imulated" not in words(toy.small())


def test_it_is_said_that_it_is_not_for_diagnostic_use() -> None:
    assert words(toy.small()).count("Not for diagnostic use") == 2


def test_the_roofline_is_labelled_a_prediction() -> None:
    text = words(toy.whole())
    assert text.index("PREDICTION") < text.index("energy, mJ33.0")
    assert "PREDICTION" not in words(toy.small())


def test_hostile_words_stay_words() -> None:
    bad = toy.variant(HOSTILE, 2.0, title=HOSTILE, note=HOSTILE, model=HOSTILE, engine=HOSTILE)
    panel = dataclasses.replace(toy.whole().panels[0], variant=HOSTILE, picture=HOSTILE)
    machine = toy.conditions(machine={HOSTILE: HOSTILE}, versions={HOSTILE: HOSTILE})
    limit = {HOSTILE: {**toy.roofline(), "graph": HOSTILE, HOSTILE: HOSTILE}}
    report = toy.whole(variants=(bad,), warnings=(HOSTILE,), conditions=machine, panels=(panel,), roofline=limit)
    root = parsed(report)
    assert not list(root.iter("script")) and not list(root.iter("img"))
    assert "".join(root.itertext()).count("<script>alert(1)</script>") > 10


def test_a_picture_is_in_the_page_once() -> None:
    report = toy.whole()
    root, page = parsed(report), html(report)
    assert len(list(root.iter("image"))) == len(report.pictures)
    assert page.count(report.pictures["fp32"]) == 1
    shown = [each.get("href") for each in root.iter("use")]
    assert shown.count("#picture-0") == 1 and len(shown) > len(report.pictures)


def test_lr_pixels_stay_pixels() -> None:
    (image,) = (each for each in parsed(toy.whole()).iter("image") if each.get("class") == "pixels")
    assert image.get("width") == "64"


def test_a_picture_that_is_cut_off_does_not_stop_the_page() -> None:
    report = toy.whole()
    pictures = {**report.pictures, "lr": "iVBORw0KGgo="}
    assert "before: the LR picture" in words(dataclasses.replace(report, pictures=pictures))


def test_bicubic_is_not_shown_twice() -> None:
    report = toy.whole()
    panel = dataclasses.replace(report.panels[0], variant="bicubic")
    captions = [each.text for each in parsed(toy.whole(panels=(*report.panels, panel))).iter("figcaption")]
    assert "bicubic" in captions
    assert "after: 4 bicubic" not in captions


def test_it_weighs_little_more_than_its_pictures() -> None:
    report = toy.whole()
    assert len(html(report)) < sum(map(len, report.pictures.values())) + 200_000
