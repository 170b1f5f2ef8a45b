"""Training pairs: seeded random crops, LR always made from the HR that is shown."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from tqdm import tqdm

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.errors import EnvironmentFault, InputError, UsageError
from host_training.data.augment import at_side, augmentation
from host_training.data.degradations import OF_HR, degrade
from host_training.data.protocol import HR_SIDE, SCALE, grey_of, listing, pictures_of
from host_training.data.sharpened import sharpened
from host_training.data.store import open_store

STORED_SIDE = 512  # finer pictures are reduced to this


def load_pictures(data_dir: Path, split: str, *, cache_dir: Path) -> np.ndarray:
    """Every picture of a split: (n, S, S) uint8, S 512 (256 where one is smaller), kept in ``cache_dir``.

    Those of a prepared store as it has them, and nothing is kept; EnvironmentFault where its split is empty.
    """
    if (store := open_store(data_dir)) is not None:
        if not store.rows(split):
            raise EnvironmentFault(f"its {split} split is empty", where=data_dir, hint="edge-sr-host prepare --split")
        return store.pictures(split)
    cached = cache_dir / f"pictures-{split}-{file_sha256(listing(data_dir))[:8]}.npy"
    if not cached.is_file():
        paths = [picture.path for picture in pictures_of(data_dir, split)]
        side = common_side(paths)
        stack = np.empty((len(paths), side, side), np.uint8)
        for into, path in zip(stack, tqdm(paths, desc=f"reading {split}", unit="picture"), strict=True):
            into[:] = cv2.resize(grey_of(path), (side, side), interpolation=cv2.INTER_AREA)
        cache_dir.mkdir(parents=True, exist_ok=True)
        part = cache_dir / f".pictures-{split}.{os.getpid()}.part.npy"  # two trainings may fill one cache together
        np.save(part, stack)
        part.replace(cached)
    return np.asarray(np.load(cached, mmap_mode="r"))


def common_side(paths: Sequence[Path]) -> int:
    """512, or 256 where a picture is smaller than that. InputError for one that is smaller than 256."""
    side = STORED_SIDE
    for path in paths:
        with Image.open(path) as picture:
            least = min(picture.size)
        if least < HR_SIDE:
            raise InputError(f"{least} pixels wide or high", where=path, expected=f"at least {HR_SIDE}")
        side = side if least >= STORED_SIDE else HR_SIDE
    return side


def hr_stack(pictures: np.ndarray) -> np.ndarray:
    """The HR pictures of the protocol: (n, S, S) -> (n, 256, 256) uint8."""
    return np.stack([at_side(picture, HR_SIDE) for picture in pictures])


def crop_batch(
    pictures: Sequence[np.ndarray] | np.ndarray,
    *,
    seed: int,
    step: int,
    samples: Sequence[int],
    size: int,
    augment: str = "edge",
    degradation: str = "area",
    scale: int = SCALE,
    sharpen: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Some samples of one step's batch, each a function of (seed, step, sample) alone.

    So a resumed training sees what an unbroken one would have, and two processes see the two halves of what one would.
    pictures: (S, S) or, where the augmentation takes them, (H, W) or (H, W, 3), uint8. augment: a name of
    AUGMENTATIONS. degradation: one that makes LR from HR; it comes after the augmentation. sharpen: LR is made from the
    sharpened HR, and HR comes as it is.
    Returns HR (n, C, size, size) and LR (n, C, size/scale, size/scale), float32 in [0, 1] on the 8-bit grid. UsageError
    for a name that is not there.
    """
    augmented = augmentation(augment)
    if degradation not in OF_HR:
        raise UsageError(f"{degradation} is no degradation of a crop", expected=", ".join(OF_HR))
    hr: list[np.ndarray] = []
    lr: list[np.ndarray] = []
    for sample in samples:
        rng = np.random.Generator(np.random.PCG64([seed, step, sample]))
        hr.append(np.ascontiguousarray(augmented(pictures[int(rng.integers(len(pictures)))], rng, size)))
        shown = sharpened(hr[-1]) if sharpen else hr[-1]
        lr.append(degrade(degradation, hr=shown, stored=shown, rng=rng, scale=scale))
    return unit(channels_first(hr)), unit(channels_first(lr))


def channels_first(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """n pictures (H, W) or (H, W, C), all of one shape -> (n, C, H, W)."""
    stack = np.stack(pictures)
    return stack[:, None] if stack.ndim == 3 else np.ascontiguousarray(stack.transpose(0, 3, 1, 2))


def unit(pixels: np.ndarray) -> np.ndarray:
    """uint8 -> float32 in [0, 1]."""
    return pixels.astype(np.float32) / np.float32(255)
