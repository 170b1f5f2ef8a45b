"""What a training in a frozen autoencoder's latents learns from: pairs of whole pictures, encoded once.

The encoder costs a thousand times what the denoiser does, and gives the same picture the same latents in every epoch.
So augmented versions are drawn beforehand, several of each picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from edge_sr.errors import UsageError
from host_training.data.augment import at_side, augmentation
from host_training.data.crops import load_pictures, unit
from host_training.data.degradations import OF_HR, degrade, hr_for
from host_training.data.protocol import HR_SIDE, lr_of
from host_training.data.store import open_store
from host_training.loop import read_checkpoint, write_tensors

PLAIN = "none"
BATCH = 4  # pictures: the published encoder takes more than a gigabyte for them

Encode = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Versions:
    """augment: "none" or a name of ``AUGMENTATIONS``. variants: versions of each picture that are drawn."""

    augment: str = PLAIN
    variants: int = 1

    def __post_init__(self) -> None:
        if self.augment != PLAIN:
            augmentation(self.augment)
        if self.variants < 1 or (self.augment == PLAIN and self.variants > 1):
            expected = "1" if self.augment == PLAIN else "at least 1"
            raise UsageError(
                f"{self.variants} with augment = {self.augment!r}", where="[data] variants", expected=expected
            )


class Pairs:
    """The pairs of one split, in a fixed order: each is a function of (seed, picture, variant) alone.

    LR is always made after the augmentation, so that a pair obeys its degradation.
    """

    def __init__(self, data_dir: Path, split: str, *, cache_dir: Path, versions: Versions, seed: int = 0) -> None:
        """data_dir: a prepared store, or the data folder, whose degradation is "area".

        UsageError where the degradation starts from stored pictures that the store does not have.
        """
        store = open_store(data_dir)
        self.degradation, self.versions, self.seed = degradation_of(data_dir), versions, seed
        self.as_stored = store.pairs(split) if store else None  # (n, 256, 256), (n, 64, 64)
        if self.as_stored and self.degradation == "cubic-from-hr":
            self.pictures = self.as_stored[0]
        else:
            self.pictures = load_pictures(data_dir, split, cache_dir=cache_dir)  # (n, S, S)
        if versions.augment != PLAIN and self.degradation not in OF_HR and self.pictures.shape[1] == HR_SIDE:
            what = f"augmented pairs of the degradation {self.degradation} are made of pictures finer than HR"
            hint = f'prepare --side 512 --layout store, or augment = "{PLAIN}" and variants = 1'
            raise UsageError(what, where=data_dir, hint=hint)

    def __len__(self) -> int:
        return len(self.pictures) * self.versions.variants

    def batch(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """HR (n, 1, 256, 256) and LR (n, 1, 64, 64), float32 in [0, 1] on the 8-bit grid."""
        pairs = [self.plain(index) if self.versions.augment == PLAIN else self.augmented(index) for index in indices]
        hr, lr = zip(*pairs, strict=True)
        return unit(np.stack(hr)[:, None]), unit(np.stack(lr)[:, None])

    def plain(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(256, 256) and (64, 64) uint8, as prepared."""
        if self.as_stored:
            return self.as_stored[0][index], self.as_stored[1][index]
        hr = at_side(self.pictures[index], HR_SIDE)
        return hr, lr_of(hr)

    def augmented(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """(256, 256) and (64, 64) uint8."""
        variant, picture = divmod(index, len(self.pictures))
        rng = np.random.Generator(np.random.PCG64([self.seed, picture, variant]))
        from_hr, stored = self.degradation in OF_HR, self.pictures[picture]
        stored = augmentation(self.versions.augment)(stored, rng, HR_SIDE if from_hr else len(stored))
        hr = stored if from_hr else hr_for(self.degradation, stored)
        return hr, degrade(self.degradation, hr=hr, stored=stored, rng=rng)


def degradation_of(data_dir: Path) -> str:
    """How the LR pictures of a data folder are made."""
    store = open_store(data_dir)
    return store.degradation if store else "area"


@torch.no_grad()
def latents_of(
    pairs: Pairs,
    chosen: Sequence[int],
    encoders: tuple[Encode, Encode],
    path: Path,
    *,
    made_by: str,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Latents of the chosen pairs, HR's and cond, float32 on the CPU, kept in ``path``.

    encoders: of HR and of LR. made_by: what the latents depend on; where ``path`` holds those of something else they
    are computed anew.
    """
    if path.is_file():
        metadata, tensors = read_checkpoint(path)
        if metadata.get("made_by") == made_by:
            return tensors["latents"], tensors["cond"]
    batches = []
    for start in tqdm(range(0, len(chosen), BATCH), desc=f"encoding {path.stem}", unit="batch"):
        pair = pairs.batch(chosen[start : start + BATCH])
        batches.append([encode(torch.from_numpy(x).to(device)).cpu() for encode, x in zip(encoders, pair, strict=True)])
    latents, cond = (torch.cat(parts) for parts in zip(*batches, strict=True))
    write_tensors(path, {"latents": latents, "cond": cond}, metadata={"made_by": made_by})
    return latents, cond
