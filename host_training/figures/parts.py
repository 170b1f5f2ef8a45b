"""What the page is made of. Where a figure cannot be drawn a sentence stands in its place and says why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Drawing:
    """A plot. name: of its files, without ending. title: the line above it. alt: what it shows, in words."""

    name: str
    title: str
    alt: str
    figure: Figure


@dataclass(frozen=True, eq=False)
class Photograph:
    """Pixels, (H, W) or (H, W, 3) uint8, shown in full width."""

    name: str
    title: str
    alt: str
    pixels: np.ndarray


Part = Drawing | Photograph | str


@dataclass(frozen=True)
class Group:
    """Figures of one kind under one heading. text: how they are read, said once for all of them."""

    title: str
    text: str
    parts: Sequence[Part]


@dataclass(frozen=True)
class Section:
    """A heading of the page. before, after: Markdown in the dialect of ``evaluation/tables.py``."""

    title: str
    groups: Sequence[Group] = field(default_factory=tuple)
    before: str = ""
    after: str = ""
