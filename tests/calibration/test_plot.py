"""The picture of the ranges, as the XML that it is."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from calibration.plot import BLUE, GREY, ORANGE, ranges_over_steps
from calibration.table import CalibrationTable
from tests.calibration.test_table import ORIGIN, ranges_of

SVG = "{http://www.w3.org/2000/svg}"


def drawn(**tensors: float) -> ElementTree.Element:
    """Each tensor is named with _ for / and has values up to the number."""
    ranges = {name.replace("_", "/", 1): ranges_of(np.linspace(0, top, 600)) for name, top in tensors.items()}
    return ElementTree.fromstring(ranges_over_steps(CalibrationTable(ORIGIN, ranges)))


def bars(panel: ElementTree.Element, colour: str) -> list[float]:
    return [float(bar.get("height", "")) for bar in panel.iter(f"{SVG}rect") if bar.get("fill") == colour]


def test_a_panel_a_layer_and_a_bar_a_step() -> None:
    page = drawn(encoder_relu=1, denoiser0_relu=1, denoiser1_relu=2, denoiser2_relu=4, decoder_relu=1)
    panels = page.findall(f"{SVG}g")
    assert [next(panel.iter(f"{SVG}text")).text for panel in panels] == [
        "encoder/relu",
        "denoiser/relu",
        "decoder/relu",
    ]
    for colour in (GREY, BLUE, ORANGE):
        heights = bars(panels[1], colour)
        assert len(heights) == 3
        assert np.allclose(heights[2] / np.array(heights), [4, 2, 1], rtol=0.1)
    assert [text.text for text in panels[1].iter(f"{SVG}text")][-1] == "2"


def test_a_tensor_of_zeros_is_drawn_and_names_are_escaped() -> None:
    page = drawn(**{"encoder_a<b>&": 0})
    assert "encoder/a<b>&" in [text.text for text in page.iter(f"{SVG}text")]
    assert min(bars(page.findall(f"{SVG}g")[0], GREY)) > 0
