"""Contact sheets: what an augmentation or a degradation makes of some pictures, drawn on one page."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from host_training.data.augment import at_side, augmentation
from host_training.data.degradations import degrade, hr_for
from host_training.data.protocol import SCALE, lr_of

COLUMNS = 6  # pictures beside each other; more go below
CROP = 224  # pixels, as the edge model is trained
DRAWS = {"area": 0, "high-order": 3}  # rows a degradation gets beside that of the area mean; the others one
WHITE, BLACK, DARK_GREY = 255, 0, 80
MARGIN, GAP, BAND_GAP = 24, 8, 32  # pixels: around the page, between tiles, between bands of rows
TITLE, NOTE = (1.0, 2, BLACK), (0.6, 1, DARK_GREY)  # size in cv2's font, stroke, grey
HEADER = 96  # pixels, height of title and note


def contact_sheet(
    pictures: Sequence[np.ndarray] | np.ndarray,
    *,
    augment: str = "edge",
    seed: int = 0,
    count: int = COLUMNS,
    size: int = CROP,
) -> np.ndarray:
    """The pictures, what the augmentation makes of them, and LR made from that: (H, W) uint8.

    pictures: (S, S) uint8 each, S >= 256, shown in turn until there are ``count`` columns. Column i depends on
    (seed, i) and its picture alone. size: of HR. UsageError for a name that is no augmentation.
    """
    augmented = augmentation(augment)
    columns = []
    for i, picture in _in_turn(pictures, count):
        hr = augmented(picture, _generator(seed, i), size)
        columns.append([at_side(picture, size), hr, pixels_repeated(lr_of(hr))])
    note = f"LR is the 4x4 mean of the HR above it, pixels repeated. Seed {seed}."
    return page(f"Augmentation: {augment}", note, ["picture", "HR", "LR"], columns)


def degradation_sheet(
    pictures: Sequence[np.ndarray] | np.ndarray, *, degradation: str, seed: int = 0, count: int = COLUMNS
) -> np.ndarray:
    """HR, its area mean, and LR by the degradation (several where it draws at random): (H, W) uint8.

    Arguments as for ``contact_sheet``. UsageError for a name that is no degradation.
    """
    names = ["area", *[degradation] * DRAWS.get(degradation, 1)]
    columns = []
    for i, picture in _in_turn(pictures, count):
        hr, rng = hr_for(degradation, picture), _generator(seed, i)
        made = [degrade(name, hr=hr, stored=picture, rng=rng) for name in names]
        columns.append([hr, *map(pixels_repeated, made)])
    note = f"Rows are LR by the degradation named, pixels repeated. Seed {seed}."
    return page(f"Degradation: {degradation}", note, ["HR", *names], columns)


def pixels_repeated(lr: np.ndarray, scale: int = SCALE) -> np.ndarray:
    """(h, w) -> (4h, 4w), or other multiples: each pixel as a square."""
    return np.repeat(np.repeat(lr, scale, axis=0), scale, axis=1)


def page(title: str, note: str, labels: Sequence[str], columns: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """A title, a note, and bands of labelled rows of at most six tiles: (H, W) uint8.

    columns: for each picture one tile a row, (s, s) uint8, all of one size.
    """
    bands = _bands(columns)
    tile = len(columns[0][0])
    left = MARGIN + max(_text_width(label) for label in labels) + 2 * GAP
    band_height = len(labels) * (tile + GAP) - GAP + BAND_GAP
    height = MARGIN + HEADER + len(bands) * band_height - BAND_GAP + MARGIN
    width = left + max(len(bands[0]) * (tile + GAP) - GAP, _text_width(note) + MARGIN - left) + MARGIN
    sheet = np.full((height, width), WHITE, np.uint8)
    _write(sheet, title, MARGIN + 28, TITLE)
    _write(sheet, note, MARGIN + 64, NOTE)
    for i, band in enumerate(bands):
        _draw_band(sheet[MARGIN + HEADER + i * band_height :], labels, band, left)
    return sheet


def _draw_band(sheet: np.ndarray, labels: Sequence[str], columns: Sequence[Sequence[np.ndarray]], left: int) -> None:
    """From the top of ``sheet`` on, the tiles from ``left`` on, the labels at the margin."""
    tile = len(columns[0][0])
    for row, label in enumerate(labels):
        top = row * (tile + GAP)
        _write(sheet, label, top + tile // 2, NOTE)
        for column, tiles in enumerate(columns):
            x = left + column * (tile + GAP)
            sheet[top : top + tile, x : x + tile] = tiles[row]


def _bands(columns: Sequence[Sequence[np.ndarray]]) -> list[Sequence[Sequence[np.ndarray]]]:
    """As few as need be, of equal length but for the last."""
    count = -(-len(columns) // COLUMNS)
    length = -(-len(columns) // count)
    return [columns[i : i + length] for i in range(0, len(columns), length)]


def _in_turn(pictures: Sequence[np.ndarray] | np.ndarray, count: int) -> list[tuple[int, np.ndarray]]:
    return [(i, pictures[i % len(pictures)]) for i in range(count)]


def _generator(seed: int, number: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([seed, number]))


def _write(sheet: np.ndarray, text: str, baseline: int, style: tuple[float, int, int]) -> None:
    """At the left margin."""
    size, stroke, grey = style
    cv2.putText(sheet, text, (MARGIN, baseline), cv2.FONT_HERSHEY_SIMPLEX, size, grey, stroke, cv2.LINE_AA)


def _text_width(text: str) -> int:
    size, stroke, _ = NOTE
    return int(cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, stroke)[0][0])
