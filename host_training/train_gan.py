"""Train a generator against a discriminator: ``edge-sr-host train rrdb-gan``, ``compact-gan``, ``retina-x2``.

Real-ESRGAN's training (arXiv 2107.10833) for any generator: L1, a perceptual distance, and a U-Net that judges every
pixel, on LR that was degraded twice over. Without a weight for the discriminator there is none: that is its first
stage, "ESRNet", ``edge-sr-host train rrdb`` and ``compact``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from edge_sr.errors import UsageError
from host_training.data.crops import channels_first, unit
from host_training.data.sharpened import sharpened
from host_training.loop import Config, LossOf, Schedule, Trainer, read_config
from host_training.losses import Lpips, adversarial_loss, lpips_weights
from host_training.nets.generators import Generator, make_generator
from host_training.nets.unet_discriminator import STRIDE, UNetDiscriminator
from host_training.settings import only_tables, table_as
from host_training.train_feedforward import GENERATOR, Loss, begin_with, loss_terms, pictures_for
from host_training.upscaling import Upscaling
from host_training.vgg_distance import VggDistance, vgg_weights

PERCEPTUAL_NETS = ("lpips", "vgg19")
DISCRIMINATOR = "discriminator"  # before its tensors' names in a file of weights


@dataclass(frozen=True)
class GanLoss(Loss):
    """Weights of what the generator minimises. UsageError for an unknown network, and where all are 0."""

    windows: float = 0.0
    absolute: float = 1.0
    perceptual: float = 0.0
    perceptual_net: str = "lpips"  # one of PERCEPTUAL_NETS
    adversarial: float = 0.0  # 0: there is no discriminator

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.perceptual_net not in PERCEPTUAL_NETS:
            expected = " or ".join(PERCEPTUAL_NETS)
            raise UsageError(f"perceptual_net = {self.perceptual_net!r}", where="[loss]", expected=expected)


def train_gan(
    config: Config,
    *,
    data_dir: Path,
    out: Path,
    until: int | None = None,
    start: Path | None = None,
    start_discriminator: Path | None = None,
) -> None:
    """Weights of the generator into ``out``, those of the discriminator beside them as opponent.safetensors.

    start, start_discriminator: weights to begin with, of an earlier training (its weights.safetensors and
    opponent.safetensors) or published ones that were converted.

    Raises UsageError for a configuration that cannot be and for files that are not there; IntegrityError for weights of
    another network.
    """
    settings = read_config(config)
    only_tables(settings, "schedule", "data", "loss", "generator", "discriminator")
    schedule, weights = table_as(Schedule, settings, "schedule"), table_as(GanLoss, settings, "loss")
    torch.manual_seed(schedule.seed)
    generator = make_generator(settings.get(GENERATOR, {}))
    discriminator = make_discriminator(settings, generator, schedule) if weights.adversarial else None
    origin = [begin_with(start, GENERATOR, generator)]
    if start_discriminator is not None and discriminator is None:
        raise UsageError("this training has no discriminator", where=start_discriminator, hint="[loss] adversarial")
    if discriminator is not None:
        origin.append(begin_with(start_discriminator, DISCRIMINATOR, discriminator))

    trainer = Trainer(
        out,
        {GENERATOR: generator},
        schedule,
        origin=" ".join(filter(None, origin)),
        opponent={DISCRIMINATOR: discriminator} if discriminator else None,
    )
    source = pictures_for(generator, settings, schedule, data_dir, out.parent)
    with trainer.main_first():
        source.pictures("train")
    upscaling = Upscaling(generator, source)
    perceptual = perceptual_distance(weights, data_dir, trainer.device) if weights.perceptual else None

    def validate() -> dict[str, float]:
        return upscaling.figures(trainer.device, {weights.perceptual_net: perceptual} if perceptual else None)

    def panels() -> np.ndarray:
        return upscaling.panels(trainer.device, title=f"{out.name}, step {trainer.step}")

    generators, discriminators = losses(trainer, upscaling, weights, discriminator, perceptual)
    trainer.run(generators, validate=validate, panels=panels, until=until, opponent_loss=discriminators)


def losses(
    trainer: Trainer,
    upscaling: Upscaling,
    weights: GanLoss,
    discriminator: UNetDiscriminator | None,
    perceptual: Callable[[Tensor, Tensor], Tensor] | None,
) -> tuple[LossOf, LossOf]:
    """What the generator minimises, and after it in every step the discriminator, on the same pictures."""
    source = upscaling.source
    judged: dict[int, tuple[Tensor, Tensor]] = {}  # real and made pictures of this step, by part of the batch

    def generators(step: int) -> tuple[Tensor, dict[str, float]]:
        truth, lr = source.batch(step, trainer.samples, trainer.device)
        sr = upscaling(lr)
        wanted = steeper(truth) if source.data.sharpen else truth
        terms = loss_terms(weights, source, sr, wanted)
        if perceptual is not None:
            terms["perceptual"] = perceptual(sr, wanted)
        if discriminator is not None:
            if trainer.part == 0:
                discriminator.estimate_norms()
            terms["adversarial"] = adversarial_loss(discriminator(sr), real=True)
            judged[trainer.part] = truth, sr.detach()
        loss = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
        return loss, {name: float(term.detach()) for name, term in terms.items()}

    def discriminators(step: int) -> tuple[Tensor, dict[str, float]]:
        assert discriminator is not None
        truth, sr = judged.pop(trainer.part)
        real, made = discriminator(truth), discriminator(sr)
        loss = adversarial_loss(real, real=True) + adversarial_loss(made, real=False)
        return loss, {"real": share_real(real), "made": share_real(made)}

    return generators, discriminators


def share_real(logits: Tensor) -> float:
    """The mean probability, over the pixels, that a picture is real: half for both means that nobody can tell."""
    return float(logits.detach().float().sigmoid().mean())


def steeper(pictures: Tensor) -> Tensor:
    """(N, C, H, W) in [0, 1] on the 8-bit grid -> the same, sharpened as Real-ESRGAN's ground truth."""
    grid = (pictures * 255).round().byte().cpu().permute(0, 2, 3, 1).numpy()  # (N, H, W, C)
    steep = [sharpened(picture[..., 0] if picture.shape[-1] == 1 else picture) for picture in grid]
    return torch.from_numpy(unit(channels_first(steep))).to(pictures)


def make_discriminator(settings: Mapping[str, Any], generator: Generator, schedule: Schedule) -> UNetDiscriminator:
    """That of [discriminator], for the generator's channels. UsageError for an option or a crop that it cannot take."""
    options = settings.get(DISCRIMINATOR, {})
    if schedule.crop % STRIDE:
        raise UsageError(f"crop = {schedule.crop}", where="[schedule]", expected=f"a multiple of {STRIDE}")
    try:
        return UNetDiscriminator(generator.channels, **options)
    except TypeError as fault:
        raise UsageError(f"none can be made of {options}", where=f"[{DISCRIMINATOR}]", expected="width") from fault


def perceptual_distance(weights: GanLoss, data_dir: Path, device: torch.device) -> nn.Module:
    """The network of the perceptual term, on the device; EnvironmentFault where its weights are not here."""
    if weights.perceptual_net == "vgg19":
        return VggDistance(vgg_weights()).to(device)
    return Lpips(lpips_weights(data_dir)).to(device)
