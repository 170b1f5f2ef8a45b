"""Train the edge autoencoder: ``edge-sr-host train autoencoder``.

The decoder learns to rebuild HR from LR and four latent channels; once it is trained it is frozen, so that the denoiser
has to put into the latents what the decoder reads from them. On two cores with AMX about 20 minutes.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from host_training.data.crops import crop_batch, load_pictures
from host_training.loop import Config, Schedule, Trainer, read_config
from host_training.losses import Lpips, lpips_weights, picture_distance
from host_training.nets.autoencoder import Decoder, HREncoder
from host_training.nets.blocks import project
from host_training.settings import table_as
from host_training.validation import psnr_of, validation_pairs


def train_autoencoder(config: Config, *, data_dir: Path, out: Path, until: int | None = None) -> None:
    settings = read_config(config)
    schedule, latent_noise = table_as(Schedule, settings, "schedule"), settings["loss"]["latent_noise"]
    torch.manual_seed(schedule.seed)
    hr_encoder, decoder = HREncoder(**settings["hr_encoder"]), Decoder(**settings["decoder"])
    trainer = Trainer(out, {"hr_encoder": hr_encoder, "decoder": decoder}, schedule)
    with trainer.main_first():
        pictures = load_pictures(data_dir, "train", cache_dir=out.parent)
    lpips = Lpips(lpips_weights(data_dir)).to(trainer.device)

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
        latents = hr_encoder(truth).float()
        noise = trainer.normal(step, *latents.shape[1:])
        # Noise on the latents caps what they can carry and makes the decoder smooth in them; unit variance gives the
        # noise its meaning and spares a scaling factor.
        sr = project(decoder(latents + latent_noise * noise, lr), lr)
        few = max(1, len(truth) // 4)  # LPIPS costs three times the networks; a quarter of the batch says enough
        error = picture_distance(sr, truth, squared=settings["loss"]["squared"])
        perceptual = lpips(sr[:few], truth[:few])
        unit_variance = (latents.mean((0, 2, 3)).square() + (latents.std((0, 2, 3)) - 1).square()).mean()
        loss = error + settings["loss"]["lpips"] * perceptual + 0.01 * unit_variance
        return loss, {"error": error.item(), "lpips": perceptual.item(), "std": latents.std().item()}

    def validate() -> dict[str, float]:
        truth, lr = validation_pairs(data_dir, out.parent, trainer.device)
        full = project(decoder(hr_encoder(truth), lr), lr)
        zeroed = project(decoder(torch.zeros_like(hr_encoder(truth)), lr), lr)
        return {
            "psnr": psnr_of(full, truth),
            "psnr_zeroed": psnr_of(zeroed, truth),
            "lpips": lpips(full, truth).item(),
        }

    trainer.run(loss_of, validate=validate, until=until)
