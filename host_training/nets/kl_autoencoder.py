"""The published autoencoder: diffusers' AutoencoderKL, frozen, behind the ports of a one-channel bundle.

It has three channels inside and one outside: a grey picture is repeated, the decoded channels are averaged. Its latents
are the mode of the posterior, never a sample: the same picture has the same latents in training and on a device.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from host_training.nets.autoencoder import LATENT_CHANNELS
from host_training.nets.blocks import SCALE, BicubicPhases

if TYPE_CHECKING:  # importing it takes seconds
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

# As stabilityai/sd-vae-ft-mse (34,163,592 + 49,490,179 parameters), and the same design for smaller machines and tests.
ARCHITECTURES: Mapping[str, Mapping[str, Any]] = {
    "published": {"block_out_channels": (128, 256, 512, 512), "layers_per_block": 2, "norm_num_groups": 32},
    "small": {"block_out_channels": (16, 32, 64, 64), "layers_per_block": 1, "norm_num_groups": 16},
    "tiny": {"block_out_channels": (4, 4, 8, 8), "layers_per_block": 1, "norm_num_groups": 4},
}
CONFIG, WEIGHTS = "config.json", "diffusion_pytorch_model.safetensors"
EXPECTED = f"a folder with {CONFIG} and {WEIGHTS}, or a name on the Hugging Face hub"
STAND_IN = 'edge-sr-host train kl-autoencoder, then source = "runs/kl-autoencoder/diffusers"'
COLOURS = 3
STRIDE = 8  # pixels of a picture per latent position


class KLAutoencoder(nn.Module):
    """Grey pictures to scaled latents and back."""

    def __init__(self, autoencoder: AutoencoderKL) -> None:
        super().__init__()
        self.net = autoencoder
        self.scaling_factor = float(autoencoder.config["scaling_factor"])

    def encode(self, pictures: Tensor) -> Tensor:
        """(N, 1, H, W) in [0, 1] -> (N, 4, H/8, W/8), of about unit variance by the scaling factor."""
        colours = (2 * pictures - 1).expand(-1, COLOURS, -1, -1)
        return self.net.encode(colours).latent_dist.mode() * self.scaling_factor

    def decode(self, latents: Tensor) -> Tensor:
        """(N, 4, h, w) -> (N, 1, 8h, 8w) in [0, 1], the mean of the colours, clipped."""
        grey = self.net.decode(latents / self.scaling_factor).sample.mean(1, keepdim=True)
        return (grey / 2 + 0.5).clamp(0, 1)


class KLEncoderOfHR(nn.Module):
    """Role ``hr_encoder``: (N, 1, H, W) in [0, 1] -> (N, 4, H/8, W/8)."""

    def __init__(self, autoencoder: KLAutoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, hr: Tensor) -> Tensor:
        return self.autoencoder.encode(hr)


class KLEncoderOfLR(nn.Module):
    """Role ``encoder``: (N, 1, h, w) in [0, 1] -> cond (N, 4, h/2, w/2), the latents of the picture at HR's size.

    Upsampled first: latents of the small picture itself would be four times too small to stand beside HR's.
    """

    def __init__(self, autoencoder: KLAutoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.phases = BicubicPhases()

    def forward(self, lr: Tensor) -> Tensor:
        return self.autoencoder.encode(F.pixel_shuffle(self.phases(lr), SCALE).clamp(0, 1))


class KLDecoder(nn.Module):
    """Role ``decoder``: latents (N, 4, h/2, w/2) and lr (N, 1, h, w) -> sr (N, 1, 4h, 4w). It does not look at lr."""

    def __init__(self, autoencoder: KLAutoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, latents: Tensor, lr: Tensor) -> Tensor:
        return self.autoencoder.decode(latents)


def new_autoencoder(architecture: str, *, seed: int = 0) -> AutoencoderKL:
    """One of ``ARCHITECTURES`` with random weights, in training mode. UsageError for another name."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise UsageError(f"no such architecture: {architecture}", where="[autoencoder] architecture", expected=known)
    levels = len(ARCHITECTURES[architecture]["block_out_channels"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return AutoencoderKL(
            in_channels=COLOURS,
            out_channels=COLOURS,
            latent_channels=LATENT_CHANNELS,
            down_block_types=("DownEncoderBlock2D",) * levels,
            up_block_types=("UpDecoderBlock2D",) * levels,
            **ARCHITECTURES[architecture],
        )


def save_autoencoder(autoencoder: AutoencoderKL, folder: Path) -> None:
    """Write diffusers' folder format, config.json and safetensors, that ``load_autoencoder`` and diffusers read."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".part-") as part:
        autoencoder.save_pretrained(part, safe_serialization=True)
        for file in sorted(Path(part).iterdir(), reverse=True):  # the weights, then config.json, which makes it a model
            file.chmod(0o644)
            shutil.move(file, folder / file.name)


def load_autoencoder(source: str | Path) -> KLAutoencoder:
    """A checkpoint by its folder in diffusers' format, or by its name on the Hugging Face hub; frozen.

    Raises UsageError where there is none or it is no autoencoder of this kind, EnvironmentFault where the hub cannot be
    asked, IntegrityError where its weights are damaged or incomplete. Pickled weights are not read.
    """
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.utils import logging

    logging.set_verbosity_error()  # its warnings are errors here, told below
    local = check_source(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of diffusers, about how it asks the hub
            net, found = AutoencoderKL.from_pretrained(
                str(source),
                use_safetensors=True,
                local_files_only=local,
                low_cpu_mem_usage=False,
                output_loading_info=True,
            )
    except (OSError, RuntimeError, ValueError) as fault:
        if not local and isinstance(fault, OSError):
            raise EnvironmentFault("the hub did not give it", where=source, expected=EXPECTED, hint=STAND_IN) from fault
        raise IntegrityError(f"cannot be read ({str(fault).splitlines()[0]})", where=source) from fault
    if missing := found["missing_keys"]:  # diffusers would leave these at random
        raise IntegrityError(f"{len(missing)} weights are missing, {min(missing)} among them", where=source)
    check_shape(net, source)
    return KLAutoencoder(net).requires_grad_(False).eval()


def check_source(source: str | Path) -> bool:
    """Whether it is a folder and not a name on the hub; UsageError where it is neither, or the folder lacks a file."""
    folder = Path(source)
    if not folder.is_dir():
        if str(source).count("/") == 1 and not folder.is_absolute():
            return False
        raise UsageError("no such folder", where=source, expected=EXPECTED, hint=STAND_IN)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            raise UsageError(f"no {name} here", where=folder, expected=EXPECTED)
    return True


def check_shape(net: AutoencoderKL, source: str | Path) -> None:
    """UsageError where pictures or latents would not fit the published denoiser."""
    stride = 2 ** (len(net.config["block_out_channels"]) - 1)
    got = (net.config["in_channels"], net.config["out_channels"], net.config["latent_channels"], stride)
    if got != (COLOURS, COLOURS, LATENT_CHANNELS, STRIDE):
        what = "{} channels in, {} out, {} in the latents, 1/{} of the side".format(*got)
        expected = f"{COLOURS}, {COLOURS}, {LATENT_CHANNELS}, 1/{STRIDE}, as stabilityai/sd-vae-ft-mse"
        raise UsageError(what, where=source, expected=expected)
