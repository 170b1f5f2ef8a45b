"""Train a feed-forward generator: ``edge-sr-host train feedforward``, ``fast``, ``espcn``.

``feedforward`` is the row that a generative model of the same cost has to be compared with, not a product. ``fast``
goes on from its weights and is one; ``espcn`` is the published net for natural pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.errors import IntegrityError, UsageError
from host_training.data.picture_source import Data, PictureSource
from host_training.loop import Config, Schedule, Trainer, part_of, read_checkpoint, read_config
from host_training.losses import haarpsi_distance, window_distance
from host_training.nets.generators import Generator, make_generator
from host_training.published_weights import misfits
from host_training.settings import only_tables, table_as
from host_training.upscaling import Upscaling

GENERATOR = "generator"  # before its tensors' names in a file of weights


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


def train_feedforward(
    config: Config, *, data_dir: Path, out: Path, until: int | None = None, start: Path | None = None
) -> None:
    """Weights of the generator into ``out``. start: weights to begin with, of an earlier training or converted ones.

    Raises UsageError for a configuration that cannot be and for a file that is not there; IntegrityError for weights of
    another network.
    """
    settings = read_config(config)
    only_tables(settings, "schedule", "data", "loss", "generator")
    schedule, weights = table_as(Schedule, settings, "schedule"), table_as(Loss, settings, "loss")
    torch.manual_seed(schedule.seed)
    generator = make_generator(settings[GENERATOR])
    source = pictures_for(generator, settings, schedule, data_dir, out.parent)
    trainer = Trainer(out, {GENERATOR: generator}, schedule, origin=begin_with(start, GENERATOR, generator))
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


def begin_with(path: Path | None, name: str, network: nn.Module) -> str:
    """Fill a network from a file of weights; the file's sha256, "" where there is none.

    UsageError where there is no such file; IntegrityError where it is no safetensors file or does not fit, and how.
    """
    if path is None:
        return ""
    if not path.is_file():
        raise UsageError("no such file", where=path, expected="a weights.safetensors, or published weights, converted")
    if path.suffix == ".pth":
        raise UsageError("has to be converted first", where=path, hint=f"edge-sr-host convert-weights {path} -o FILE")
    tensors = part_of(read_checkpoint(path)[1], name)
    if not tensors:
        raise IntegrityError(f"holds no {name}", where=path)
    if wrong := misfits(network, tensors):
        hint = f"the options of [{name}] that the weights were made with; --grey of convert-weights for one channel"
        raise IntegrityError(f"is of another {name}: {wrong}", where=path, hint=hint)
    network.load_state_dict(tensors)
    return file_sha256(path)
