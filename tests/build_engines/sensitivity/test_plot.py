"""The picture of the sensitivities, as the XML that it is."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

pytest.importorskip("onnx", reason="what it draws is found with onnx")

from build_engines.sensitivity.plot import sensitivity_plot
from build_engines.sensitivity.search import Sensitivity
from edge_sr.svg import BLUE, ORANGE

SVG = "{http://www.w3.org/2000/svg}"
FOUND = [Sensitivity("encoder/a", 1e-6), Sensitivity("denoiser0/b<c", 1e-8), Sensitivity("decoder/d", 0.0)]
MACS = {"encoder/a": 2_000_000, "denoiser0/b<c": 100_000, "decoder/d": 0}


def bars(page: ElementTree.Element, colour: str) -> list[float]:
    return [float(bar.get("width", "")) for bar in page.iter(f"{SVG}rect") if bar.get("fill") == colour][1:]  # legend


def test_a_bar_a_convolution_and_the_worse_the_longer() -> None:
    page = ElementTree.fromstring(sensitivity_plot(FOUND, MACS))
    worst, better, best = bars(page, BLUE)
    assert worst > better > best > 0
    assert not bars(page, ORANGE)
    told = [text.text for text in page.iter(f"{SVG}text")]
    assert {"encoder/a", "denoiser0/b<c", "decoder/d", "2.0", "gate 48"} <= set(told)


def test_what_is_kept_high_has_another_colour() -> None:
    page = ElementTree.fromstring(sensitivity_plot(FOUND, MACS, high=["encoder/a"], title="x & y"))
    assert len(bars(page, ORANGE)) == 1 and len(bars(page, BLUE)) == 2
    assert next(page.iter(f"{SVG}text")).text == "x & y"


def test_every_bar_stays_inside() -> None:
    page = ElementTree.fromstring(sensitivity_plot([*FOUND, Sensitivity("worst", 1.0)], MACS | {"worst": 1}))
    assert max(bars(page, BLUE)) <= 560
