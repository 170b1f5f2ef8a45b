"""Train a feed-forward generator: ``edge-sr-host train feedforward``, ``fast``, ``espcn``.

``feedforward`` is the row that a generative model of the same cost has to be compared with, not a product. ``fast`` is
the compact net for radiographs, ``espcn`` the published one for natural pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from edge_sr.errors import UsageError
from host_training.data.picture_source import Data, PictureSource
from host_training.loop import Config, Schedule, Trainer, read_config
from host_training.losses import haarpsi_distance, window_distance
from host_training.nets.generators import Generator, make_generator
from host_training.settings import only_tables, table_as
from host_training.upscaling import Upscaling


@dataclass(frozen=True)
class Loss:
    """Weights of what is minimised; see ``host_training.losses``. UsageError where all are 0."""

    windows: float = 1.0  # root mean squared difference in windows
    squared: float = 0.0  # mean squared error
    absolute: float = 0.0  # mean absolute error, L1
    haarpsi: float = 0.0  # 1 - HaarPSI_MED

    def __post_init__(self) -> None:
        if not any((self.windows, self.squared, self.absolute, self.haarpsi)):
            raise UsageError("nothing to minimise", where="[loss]", expected="a weight above 0")


def train_feedforward(config: Config, *, data_dir: Path, out: Path, until: int | None = None) -> None:
    settings = read_config(config)
    only_tables(settings, "schedule", "data", "loss", "generator")
    schedule, weights = table_as(Schedule, settings, "schedule"), table_as(Loss, settings, "loss")
    torch.manual_seed(schedule.seed)
    generator = make_generator(settings["generator"])
    source = pictures_for(generator, settings, schedule, data_dir, out.parent)
    trainer = Trainer(out, {"generator": generator}, schedule)
    with trainer.main_first():
        source.pictures("train")

    upscaling = Upscaling(generator, source)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        truth, lr = source.batch(step, trainer.samples, trainer.device)
        terms = loss_terms(weights, source, upscaling(lr), truth)
        loss = sum((getattr(weights, name) * term for name, term in terms.items()), torch.zeros(()).to(truth))
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    def validate() -> dict[str, float]:
        return upscaling.figures(trainer.device)

    def panels() -> np.ndarray:
        return upscaling.panels(trainer.device, title=f"{out.name}, step {trainer.step}")

    trainer.run(loss_of, validate=validate, panels=panels, until=until)


def pictures_for(
    generator: Generator, settings: Mapping[str, Any], schedule: Schedule, data_dir: Path, cache: Path
) -> PictureSource:
    """Those of [data], in the generator's channels and at its scale."""
    data = table_as(Data, settings, "data")
    return PictureSource(data, schedule, data_dir, cache=cache, channels=generator.channels, scale=generator.scale)


def loss_terms(weights: Loss, source: PictureSource, sr: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """The parts of the loss that weigh anything, before they are weighed: (N, C, H, W) twice -> scalars by name."""
    parts = {
        "haarpsi": lambda: haarpsi_distance(source.judged(sr), source.judged(truth)),
        "windows": lambda: window_distance(sr, truth),
        "squared": lambda: F.mse_loss(sr, truth),
        "absolute": lambda: F.l1_loss(sr, truth),
    }
    return {name: part() for name, part in parts.items() if getattr(weights, name)}
