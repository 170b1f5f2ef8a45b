"""The published system as a whole: a frozen KL autoencoder, a denoiser, and the noise schedule that joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from edge_sr.diffusion.samplers import PREDICTION_TYPES, SamplerTable, sampler_table
from edge_sr.diffusion.schedule import make_alphas_cumprod
from edge_sr.errors import UsageError
from host_training.nets.kl_autoencoder import KLAutoencoder, KLDecoder, KLEncoderOfHR, KLEncoderOfLR
from host_training.nets.unet_deep import CrossAttentionUNet, DeepUNet
from host_training.nets.unet_lite import UNetLite
from host_training.settings import table_as

DENOISERS: Mapping[str, Callable[..., nn.Module]] = {
    "lite": UNetLite,  # as published
    "deep": DeepUNet,
    "cross_attention": CrossAttentionUNet,
}


@dataclass(frozen=True)
class Diffusion:
    """As published; see ``edge_sr.diffusion.schedule``. rescale_betas_zero_snr: not with epsilon."""

    prediction_type: str = "epsilon"
    beta_schedule: str = "linear"
    num_train_timesteps: int = 300
    beta_start: float = 1e-4
    beta_end: float = 0.02
    rescale_betas_zero_snr: bool = False


class PaperModel:
    """LR encoder, denoiser and decoder in a bundle's roles, and the HR encoder of training. Only the denoiser learns.

    settings: a configuration such as ``host_training/configs/paper.toml``.
    """

    def __init__(self, settings: Mapping[str, Any], autoencoder: KLAutoencoder) -> None:
        self.hr_encoder, self.encoder = KLEncoderOfHR(autoencoder), KLEncoderOfLR(autoencoder)
        self.decoder = KLDecoder(autoencoder)
        self.denoiser = denoiser_of(**settings.get("denoiser", {}))
        self.diffusion = table_as(Diffusion, settings, "diffusion")
        schedule = asdict(self.diffusion)
        self.prediction_type: str = schedule.pop("prediction_type")
        self.alphas_cumprod = make_alphas_cumprod(**schedule)
        self.table("ddpm", len(self.alphas_cumprod))  # refuses what no sampler could run, before anything is trained

    def table(self, sampler: str, steps: int) -> SamplerTable:
        """Of ``edge_sr.diffusion.samplers``."""
        return sampler_table(
            sampler, self.alphas_cumprod, num_inference_steps=steps, prediction_type=self.prediction_type
        )

    def noisy(self, clean: Tensor, noise: Tensor, timesteps: Tensor) -> tuple[Tensor, Tensor]:
        """Latents at these timesteps and what the denoiser is asked for: (N, C, h, w) twice, (N,) int64 -> two of them.

        With alpha^2 = abar and sigma^2 = 1 - abar: z = alpha x0 + sigma noise (arXiv 2006.11239, equation 4) and
        v = alpha noise - sigma x0 (arXiv 2202.00512, appendix D).
        """
        abar = self.abar(timesteps)[:, None, None, None]
        alpha, sigma = abar.sqrt(), (1 - abar).sqrt()
        targets = {"epsilon": noise, "sample": clean, "v_prediction": alpha * noise - sigma * clean}
        assert set(targets) == set(PREDICTION_TYPES)
        return alpha * clean + sigma * noise, targets[self.prediction_type]

    def abar(self, timesteps: Tensor) -> Tensor:
        """alphas_cumprod at (N,) timesteps, float32, on their device."""
        return torch.from_numpy(self.alphas_cumprod).to(timesteps.device)[timesteps].float()


def denoiser_of(kind: str = "lite", **options: Any) -> nn.Module:
    """One of ``DENOISERS``. UsageError for another name, or an option that it does not have."""
    if kind not in DENOISERS:
        raise UsageError(f"no such kind: {kind}", where="[denoiser]", expected=", ".join(DENOISERS))
    try:
        return DENOISERS[kind](**options)
    except TypeError as fault:
        raise UsageError(f"{kind} cannot be made of {options}", where="[denoiser]", expected="widths, depth") from fault
