"""Train a KL autoencoder briefly: ``edge-sr-host train kl-autoencoder``.

The published system took stabilityai/sd-vae-ft-mse as it is, and so does ``train paper``. This stands in for it where
that cannot be had, to see the whole chain run: of the published architecture or a smaller one of the same design, in
the same folder format. With ``steps = 0`` the weights stay random.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from host_training.data.crops import crop_batch, hr_stack, load_pictures, unit
from host_training.loop import Config, Schedule, Trainer, load_weights, read_config
from host_training.nets.autoencoder import LATENT_CHANNELS
from host_training.nets.kl_autoencoder import STRIDE, KLAutoencoder, new_autoencoder, save_autoencoder
from host_training.settings import only_tables, table_as
from host_training.validation import psnr_of, validation_pairs

FOLDER = "diffusers"  # within the training's own
FEW = 8  # pictures: the decoder costs up to 310 GMAC each


@dataclass(frozen=True)
class Autoencoder:
    """architecture: one of ``ARCHITECTURES``."""

    architecture: str = "small"


@dataclass(frozen=True)
class Loss:
    """kl: weight of the posterior's divergence from a normal distribution, which bounds the latents."""

    kl: float = 1e-5


def train_kl_autoencoder(config: Config, *, data_dir: Path, out: Path, until: int | None = None) -> None:
    """Weights into ``out``, and once they are finished the checkpoint into ``out/diffusers``."""
    settings = read_config(config)
    only_tables(settings, "autoencoder", "loss", "schedule")
    schedule, loss_weights = table_as(Schedule, settings, "schedule"), table_as(Loss, settings, "loss")
    net = new_autoencoder(table_as(Autoencoder, settings, "autoencoder").architecture, seed=schedule.seed)
    trainer = Trainer(out, {"autoencoder": net}, schedule)
    with trainer.main_first():
        pictures = load_pictures(data_dir, "train", cache_dir=out.parent)
    wrapped, side = KLAutoencoder(net), schedule.crop // STRIDE

    def loss_of(step: int) -> tuple[Tensor, dict[str, float]]:
        truth, _ = crop_batch(
            pictures,
            seed=schedule.seed,
            step=step,
            samples=trainer.samples,
            size=schedule.crop,
            augment=schedule.augment,
        )
        colours = torch.from_numpy(2 * truth - 1).to(trainer.device).expand(-1, 3, -1, -1)
        posterior = net.encode(colours).latent_dist
        latents = posterior.mean + posterior.std * trainer.normal(step, LATENT_CHANNELS, side, side)
        error = F.mse_loss(net.decode(latents).sample.float(), colours)
        divergence = posterior.kl().mean() / posterior.mean[0].numel()
        return error + loss_weights.kl * divergence, {"error": error.item(), "kl": divergence.item()}

    def validate() -> dict[str, float]:
        truth, _ = validation_pairs(data_dir, out.parent, trainer.device)
        return {"psnr": psnr_of(wrapped.decode(wrapped.encode(truth[:FEW])), truth[:FEW])}

    trainer.run(loss_of, validate=validate, until=until)
    if trainer.finished and trainer.processes.main:
        load_weights(out / "weights.safetensors", autoencoder=net)
        few = torch.from_numpy(unit(hr_stack(pictures[:FEW])[:, None])).to(trainer.device)
        net.register_to_config(scaling_factor=unit_scale(wrapped, few))
        save_autoencoder(net, out / FOLDER)


@torch.no_grad()
def unit_scale(autoencoder: KLAutoencoder, pictures: Tensor) -> float:
    """The factor that gives the latents of these pictures unit variance (arXiv 2112.10752, appendix G)."""
    return autoencoder.scaling_factor / float(autoencoder.encode(pictures).std())
