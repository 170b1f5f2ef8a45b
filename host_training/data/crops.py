"""Training pairs: seeded random crops, LR always made from the HR that is shown."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_sr.artifacts.bundle import file_sha256
from host_training.data.protocol import HR_SIDE, hr_of, listing, lr_of, pictures_of


def load_hr(data_dir: Path, split: str, *, cache_dir: Path) -> np.ndarray:
    """Every HR picture of a split: (n, 256, 256) uint8, kept in ``cache_dir`` after the first call."""
    cached = cache_dir / f"hr-{split}-{file_sha256(listing(data_dir))[:8]}.npy"
    if not cached.is_file():
        pictures = pictures_of(data_dir, split)
        stack = np.stack([hr_of(p.path) for p in tqdm(pictures, desc=f"reading {split}", unit="picture")])
        cache_dir.mkdir(parents=True, exist_ok=True)
        part = cache_dir / f".hr-{split}.{os.getpid()}.part.npy"  # two trainings may fill one cache at the same time
        np.save(part, stack)
        part.replace(cached)
    return np.asarray(np.load(cached, mmap_mode="r"))


def crop_batch(hr: np.ndarray, *, seed: int, step: int, batch: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """A batch that depends on (seed, step) alone, so that a resumed training sees what an unbroken one would have.

    Returns HR (batch, 1, size, size) and LR (batch, 1, size/4, size/4), float32 in [0, 1] on the 8-bit grid. Brightness
    and contrast vary a little, before LR is made: the pair always obeys the degradation.
    """
    rng = np.random.Generator(np.random.PCG64([seed, step]))
    crops = np.empty((batch, 1, size, size), np.uint8)
    for crop in crops:
        top, left = rng.integers(0, HR_SIDE - size + 1, 2)
        picture = hr[rng.integers(len(hr)), top : top + size, left : left + size].astype(np.float32)
        gain, shift = rng.uniform(0.9, 1.1), rng.uniform(-12, 12)
        crop[0] = np.clip(np.rint((picture - 128) * gain + 128 + shift), 0, 255)
    return unit(crops), unit(lr_of(crops))


def unit(pixels: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)
