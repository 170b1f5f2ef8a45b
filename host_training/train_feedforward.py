"""Train the feed-forward regression: ``edge-sr-host train feedforward``.

It is the row that a generative model of the same cost has to be compared with, not a product.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from host_training.data.crops import crop_batch, load_pictures
from host_training.loop import Config, Schedule, Trainer, read_config
from host_training.losses import picture_distance
from host_training.nets.blocks import project
from host_training.nets.feedforward import FeedForward
from host_training.settings import table_as
from host_training.validation import panels_of, psnr_of, validation_pairs


def train_feedforward(config: Config, *, data_dir: Path, out: Path, until: int | None = None) -> None:
    settings = read_config(config)
    schedule = table_as(Schedule, settings, "schedule")
    torch.manual_seed(schedule.seed)
    generator = FeedForward(**settings["generator"])
    trainer = Trainer(out, {"generator": generator}, schedule)
    with trainer.main_first():
        pictures = load_pictures(data_dir, "train", cache_dir=out.parent)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        pair = crop_batch(
            pictures,
            seed=schedule.seed,
            step=step,
            samples=trainer.samples,
            size=schedule.crop,
            augment=schedule.augment,
        )
        truth, lr = (torch.from_numpy(x).to(trainer.device) for x in pair)
        return picture_distance(project(generator(lr), lr), truth, squared=settings["loss"]["squared"]), {}

    def validate() -> dict[str, float]:
        truth, lr = validation_pairs(data_dir, out.parent, trainer.device)
        return {"psnr": psnr_of(project(generator(lr), lr), truth)}

    def panels() -> np.ndarray:
        truth, lr = validation_pairs(data_dir, out.parent, trainer.device)
        return panels_of(lr, project(generator(lr), lr), truth, title=f"feedforward, step {trainer.step}")

    trainer.run(loss_of, validate=validate, panels=panels, until=until)
