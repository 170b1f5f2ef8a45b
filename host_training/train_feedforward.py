"""Train the feed-forward regression: ``edge-sr-host train feedforward``.

It is the row that a generative model of the same cost has to be compared with, not a product.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from host_training.data.crops import crop_batch, load_hr
from host_training.loop import Schedule, Trainer, read_config
from host_training.losses import picture_distance
from host_training.nets.blocks import project
from host_training.nets.feedforward import FeedForward
from host_training.validation import psnr_of, validation_pairs


def train_feedforward(config: Path, *, data_dir: Path, out: Path, until: int | None = None) -> None:
    settings = read_config(config)
    schedule = Schedule(**settings["schedule"])
    hr = load_hr(data_dir, "train", cache_dir=out.parent)
    generator = FeedForward(**settings["generator"])
    trainer = Trainer(out, {"generator": generator}, schedule)

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        pair = crop_batch(hr, seed=schedule.seed, step=step, batch=schedule.batch, size=schedule.crop)
        truth, lr = (torch.from_numpy(x).to(trainer.device) for x in pair)
        return picture_distance(project(generator(lr), lr), truth, squared=settings["loss"]["squared"]), {}

    def validate() -> dict[str, float]:
        truth, lr = validation_pairs(data_dir, out.parent, trainer.device)
        return {"psnr": psnr_of(project(generator(lr), lr), truth)}

    trainer.run(loss_of, validate=validate, until=until)
