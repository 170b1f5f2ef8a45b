from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from host_training.figures import style


def drawn() -> str:
    with style.applied():
        figure = style.canvas(1.5)
        ax = style.axes(figure, x="a < b", y="c & d")
        ax.plot([1, 2, 3], [1.0, float("nan"), 2.0], "o-", color=style.BLUE)
        style.end_labels(ax, [(2.0, "first", style.BLUE), (2.0, "second", style.GREEN)])
        return style.svg_of(figure)


def luminance(colour: str) -> float:
    """Web Content Accessibility Guidelines 2.2, relative luminance."""
    channels = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("name", sorted(style.COLOURS.keys() - {"paper", "grid"}))
@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_stands_out_from_its_paper(name: str, dark: bool) -> None:
    lightness = [luminance(style.COLOURS[key][dark]) for key in (name, "paper")]
    assert (max(lightness) + 0.05) / (min(lightness) + 0.05) >= 3


def test_the_same_drawing_has_the_same_bytes_and_no_date() -> None:
    assert drawn() == drawn()
    assert not re.search(r"20\d\d-|metadata", drawn())


def test_on_the_page_colours_are_variables_and_ids_its_own() -> None:
    element = style.inline(drawn(), name="a b", alt='5 < 6 "quoted"')
    assert not re.search(r"#[0-9a-f]{6}", element)
    assert "var(--blue)" in element and "xmlns" not in element and "http" not in element
    assert set(re.findall(r'(?:id="|url\(#|href="#)(.{4})', element)) == {"a-b-"}
    assert 'aria-label="5 &lt; 6 &quot;quoted&quot;"' in element


def test_text_stays_text() -> None:
    assert re.search(r"<text [^>]*>a &lt; b</text>", drawn())


@pytest.mark.parametrize("wanted", [[0.5, 0.5, 0.5], [0.99, 1.2, 1.0], [-1.0, 0.01], [0.2], [], [0.5] * 30])
def test_labels_are_moved_apart_in_their_order(wanted: list[float]) -> None:
    places = style.apart(wanted, 0.1)
    ordered = [places[i] for i in np.argsort(wanted, kind="stable")]
    assert all(b - a >= 0.1 - 1e-9 for a, b in pairwise(ordered))
    if len(wanted) < 10:
        assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)


def test_a_text_is_made_to_fit_and_never_larger() -> None:
    with style.applied():
        figure = style.canvas(1.0)
        long, short = figure.text(0, 0.5, "word " * 12), figure.text(0, 0, "word")
        for text in (long, short):
            style.fit(text, 2.0)
        assert long.get_window_extent().width / figure.dpi == pytest.approx(2.0, rel=0.05)
        assert short.get_fontsize() == style.TEXT


def test_labels_with_room_stay_where_they_are() -> None:
    assert style.apart([0.9, 0.1], 0.1) == [0.9, 0.1]


def test_a_label_avoids_points_lines_and_other_labels() -> None:
    with style.applied():
        ax = style.axes(style.canvas(3.0), x="")
        ax.set(xlim=(0, 10), ylim=(0, 10))
        points = [(5.0, 5.0, "first", style.INK), (5.0, 5.2, "second", style.INK)]
        style.label_points(ax, points, lines=[[(5.0, 5.0), (9.0, 5.0)]])
        boxes = [text.get_window_extent() for text in ax.texts]
    assert not boxes[0].overlaps(boxes[1])
    assert not any(boxes[0].contains(*ax.transData.transform((x, 5.0))) for x in np.linspace(5, 9, 50))
