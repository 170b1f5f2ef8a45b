"""``[data]`` of a configuration: which pictures a feed-forward net learns from, and how their LR is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from edge_sr.errors import UsageError
from host_training.data.augment import OF_ANY_SHAPE, augmentation
from host_training.data.crops import channels_first, crop_batch, hr_stack, load_pictures, unit
from host_training.data.degradations import OF_HR, degrade
from host_training.data.mapped_pictures import mapped_pictures
from host_training.data.natural import LUMA, LUMA_OF_BLACK, natural_paths
from host_training.data.protocol import HR_SIDE, SCALE
from host_training.loop import Schedule

KINDS = ("radiographs", "natural")
VALIDATION_PICTURES = 32

Pictures = Sequence[np.ndarray] | np.ndarray


@dataclass(frozen=True)
class Data:
    """kind: one of KINDS. degradation: how LR is made from HR, one of OF_HR. UsageError for what cannot be.

    sharpen: of the training pairs LR is made from a sharpened HR, as Real-ESRGAN does; a net that is to give that one
    back sharpens its truth itself. project: with "area" the loss looks at SR after its projection onto LR; false: at SR
    as the net gives it, which is then good without projection too.
    """

    kind: str = "radiographs"
    degradation: str = "area"
    sharpen: bool = False
    project: bool = True

    def __post_init__(self) -> None:
        for name, words in (("kind", KINDS), ("degradation", OF_HR)):
            if getattr(self, name) not in words:
                raise UsageError(f"{name} = {getattr(self, name)!r}", where="[data]", expected=" or ".join(words))


class PictureSource:
    """Pairs for a net of so many channels and such a scale. Files are read when they are first asked for.

    folder: kind "radiographs": a prepared store or the data folder, grey, repeated for a net with three channels; kind
    "natural": a folder of colour pictures, see ``natural_paths``, luma for a net with one channel.

    UsageError where the schedule's crop or augmentation does not fit.
    """

    def __init__(
        self, data: Data, schedule: Schedule, folder: Path, *, cache: Path, channels: int = 1, scale: int = SCALE
    ) -> None:
        self.data, self.schedule, self.folder, self.cache = data, schedule, folder, cache
        self.channels, self.scale, self.natural = channels, scale, data.kind == "natural"
        self.read: dict[str, Pictures] = {}
        self.held_out: tuple[Tensor, Tensor] | None = None
        augmentation(schedule.augment)
        if schedule.crop % scale:
            raise UsageError(f"crop = {schedule.crop}", where="[schedule]", expected=f"a multiple of {scale}")
        if self.natural and schedule.augment not in OF_ANY_SHAPE:
            expected = f"{', '.join(OF_ANY_SHAPE)}, as natural pictures have any shape"
            raise UsageError(f"augment = {schedule.augment!r}", where="[schedule]", expected=expected)

    @property
    def projected(self) -> bool:
        """Whether SR is to be projected onto LR: only where LR is its mean."""
        return self.data.project and self.data.degradation == "area"

    def pictures(self, split: str) -> Pictures:
        """All of a split; EnvironmentFault where it has none. The first process fills the cache, others wait for it."""
        if split not in self.read:
            self.read[split] = self.natural_pictures(split) if self.natural else self.radiographs(split)
        return self.read[split]

    def radiographs(self, split: str) -> np.ndarray:
        return load_pictures(self.folder, split, cache_dir=self.cache)

    def natural_pictures(self, split: str) -> Pictures:
        least = self.schedule.crop if split == "train" else 2 * self.scale
        return mapped_pictures(natural_paths(self.folder, split), self.cache, channels=self.channels, least=least)

    def batch(self, step: int, samples: Sequence[int], device: torch.device) -> tuple[Tensor, Tensor]:
        """HR (n, C, crop, crop) and LR (n, C, crop/s, crop/s) in [0, 1] of some samples of a step's batch."""
        pair = crop_batch(
            self.pictures("train"),
            seed=self.schedule.seed,
            step=step,
            samples=samples,
            size=self.schedule.crop,
            augment=self.schedule.augment,
            degradation=self.data.degradation,
            scale=self.scale,
            sharpen=self.data.sharpen,
        )
        return self.on(device, *pair)

    def validation(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """HR (n, C, H, W) and LR (n, C, H/s, W/s) in [0, 1], at most 32, spread evenly over the validation split.

        Of a natural picture the middle, as large as the smallest allows and at most 256x256.
        """
        if not self.held_out:
            self.held_out = self.on(device, *self.held_out_pairs())
        return self.held_out

    def held_out_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        pictures = self.pictures("validation")
        chosen = pictures[:: max(1, len(pictures) // VALIDATION_PICTURES)][:VALIDATION_PICTURES]
        hr = middles(chosen, multiple=2 * self.scale) if self.natural else hr_stack(np.asarray(chosen))
        lr = [
            degrade(self.data.degradation, hr=one, stored=one, rng=generator(i), scale=self.scale)
            for i, one in enumerate(hr)
        ]
        return unit(channels_first(list(hr))), unit(channels_first(lr))

    def on(self, device: torch.device, hr: np.ndarray, lr: np.ndarray) -> tuple[Tensor, Tensor]:
        """(n, 1 or C, ...) twice -> (n, C, ...) on the device; grey is repeated."""
        truth, low = (torch.from_numpy(x).to(device).expand(-1, self.channels, -1, -1) for x in (hr, lr))
        return truth, low

    def grey(self, pictures: Tensor) -> Tensor:
        """(n, C, H, W) in [0, 1] -> (n, 1, H, W): luma, 16 to 235 of 255, of natural colour; grey that was repeated."""
        if self.channels == 1:
            return pictures
        if not self.natural:
            return pictures.mean(1, keepdim=True)
        weights = torch.from_numpy(LUMA).to(pictures)[:, None, None] / 255
        return (pictures * weights).sum(1, keepdim=True) + LUMA_OF_BLACK / 255

    def judged(self, pictures: Tensor) -> Tensor:
        """What figures are taken of: ``grey``, and of a natural picture without its border, as published."""
        inside = slice(self.scale, -self.scale)
        return self.grey(pictures)[..., inside, inside] if self.natural else self.grey(pictures)


def middles(pictures: Pictures, *, multiple: int) -> np.ndarray:
    """Squares of one size from the middle of each: n of (H, W[, C]) -> (n, s, s[, C]), s a multiple, at most 256."""
    side = min(HR_SIDE, *(min(picture.shape[:2]) for picture in pictures)) // multiple * multiple
    corners = [((picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2) for picture in pictures]
    return np.stack([p[y : y + side, x : x + side] for p, (y, x) in zip(pictures, corners, strict=True)])


def generator(number: int) -> np.random.Generator:
    """What the degradation of a validation picture draws from: the same in every training."""
    return np.random.Generator(np.random.PCG64([0, number]))
