"""The panel picture: a few pictures of a set, each beside what was made of it and how far off that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from edge_sr.image.compare import NOTICE
from host_training.data.protocol import SCALE
from host_training.evaluation.pictures import Sample

COLUMNS = ("LR, pixels repeated", "bicubic", "SR, fidelity 1", "SR, fidelity 0", "HR", "|SR - HR| x 8, fidelity 1")
WITHOUT_NOISE = ("LR, pixels repeated", "bicubic", "SR", "HR", "|SR - HR| x 8")
AMPLIFIED = 8
GAP = 6  # pixels between panels
LINE = 22  # pixels of a line of text
SHOWN = 5  # pictures: from the least to the largest gain


@dataclass(frozen=True, eq=False)
class Panel:
    """One line of the panel picture. bicubic, model_1, model_0: (H, W) uint8, as the HR of the sample.

    model_0: None where a model draws no noise.
    """

    caption: str
    sample: Sample
    bicubic: np.ndarray
    model_1: np.ndarray
    model_0: np.ndarray | None = None

    def columns(self) -> list[np.ndarray]:
        nearest = self.sample.lr.repeat(SCALE, axis=0).repeat(SCALE, axis=1)
        error = np.minimum(np.abs(self.model_1.astype(np.int16) - self.sample.hr) * AMPLIFIED, 255).astype(np.uint8)
        made = [self.model_1] if self.model_0 is None else [self.model_1, self.model_0]
        return [nearest, self.bicubic, *made, self.sample.hr, error]


def spread_by_gain(gain: np.ndarray, count: int = SHOWN) -> list[int]:
    """Pictures at even steps of rank, the worst by gain first, the best last; each once."""
    order = np.argsort(gain)
    ranks = np.linspace(0, len(order) - 1, min(count, len(order)))
    return [int(order[rank]) for rank in np.rint(ranks).astype(int)]


def worst_by_gain(gain: np.ndarray, count: int = SHOWN) -> list[int]:
    """The pictures of least gain, the worst first."""
    return [int(number) for number in np.argsort(gain)[:count]]


def draw(panels: Sequence[Panel]) -> np.ndarray:
    """(H, W) uint8: column titles, then each panel above its caption, then the notice."""
    columns = WITHOUT_NOISE if panels[0].model_0 is None else COLUMNS
    titles = [_text(title, panels[0].sample.hr.shape[1]) for title in columns]
    lines = [_beside(titles)]
    for panel in panels:
        pictures = _beside(panel.columns())
        lines += [pictures, _text(panel.caption, pictures.shape[1])]
    return np.vstack([*lines, _text(NOTICE, lines[0].shape[1])])


def _beside(pictures: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((len(pictures[0]), GAP), 255, np.uint8)
    return np.hstack([part for picture in pictures for part in (picture, gap)][:-1])


def _text(text: str, width: int) -> np.ndarray:
    line = np.full((LINE, width), 255, np.uint8)
    cv2.putText(line, text, (2, LINE - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 0, 1, cv2.LINE_AA)
    return line
