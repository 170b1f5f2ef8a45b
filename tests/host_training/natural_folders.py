"""Folders of small colour pictures, as someone might have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def scene(seed: int, height: int = 96, width: int = 112) -> np.ndarray:
    """Coloured stripes, discs and a little noise: (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(float)
    colours = []
    for _ in range(3):
        angle, period, centre = rng.uniform(0, np.pi), rng.uniform(6, 30), rng.uniform(20, 80, 2)
        stripes = np.sin(2 * np.pi * (np.cos(angle) * x + np.sin(angle) * y) / period) > 0
        disc = np.hypot(y - centre[0], x - centre[1]) < rng.uniform(10, 30)
        colours.append(60 + 70 * stripes + 80 * disc + rng.normal(0, 3, (height, width)))
    return np.clip(np.rint(np.stack(colours, -1)), 0, 255).astype(np.uint8)


def write_scene(path: Path, seed: int = 0, height: int = 96, width: int = 112) -> np.ndarray:
    """A PNG or, by its suffix, another file; what was written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = scene(seed, height, width)
    Image.fromarray(picture).save(path)
    return picture


def write_div2k(folder: Path, *, train: int = 3, validation: int = 2) -> Path:
    """Named as the archives of DIV2K unpack; no two pictures of one size."""
    for number in range(train):
        write_scene(folder / f"DIV2K_train_HR/{number + 1:04}.png", number, 96 + 5 * number, 112)
    for number in range(validation):
        write_scene(folder / f"DIV2K_valid_HR/{number + 801:04}.png", 100 + number, 100, 90 + 9 * number)
    return folder
