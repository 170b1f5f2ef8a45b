"""The published system without a training: what it costs to build and run, and what FP16 and INT8 change in it.

Time, memory and operators are those of the real one. The pictures mean nothing, and the bundle says so in its name, its
version, its manifest and its card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from edge_sr.errors import UsageError
from edge_sr.image.phantom import chest_phantom
from host_training.data.crops import unit
from host_training.data.protocol import HR_SIDE
from host_training.loop.checkpoints import fingerprint
from host_training.nets.kl_autoencoder import KLAutoencoder, new_autoencoder
from host_training.nets.paper_model import PaperModel
from host_training.settings import only_tables, table_as
from host_training.train_kl_autoencoder import Autoencoder, unit_scale
from host_training.trained import Trained, paper_model

CONFIG = "random-weights.toml"
MEANINGLESS = "random: nothing was trained, and the pictures mean nothing"
DEGRADATION = "cubic"  # as the published pairs; under "area" the projection would hide much of what precision changes
PHANTOMS = 2  # that the latents are scaled by
# The sampler gives the denoiser what it made of its last answer. A trained one takes away noise that it sees. A drawn
# one adds something else: with answers as large as the noise, latents grew from 1 to as much as 4,000 over 300 steps
# of DDPM. At a tenth of that they end at 5 (25 steps of DDIM) and 7 to 9 (DDPM), where answers of 0 would leave them at
# 4.6 and 6.3: the denoiser still counts, and nothing runs away.
ANSWER = 0.1


def random_weights(settings: Mapping[str, Any], *, seed: int) -> Trained:
    """The published system with weights that the seed alone decides.

    settings: a configuration such as ``host_training/configs/random-weights.toml``.
    UsageError for what is no such configuration, and for another denoiser than the published one.
    """
    only_tables(settings, "autoencoder", "denoiser", "diffusion")
    if (kind := settings.get("denoiser", {}).get("kind", "lite")) != "lite":
        raise UsageError(f"kind = {kind!r} is not drawn at random", where="[denoiser]", expected='kind = "lite"')
    autoencoder = drawn_autoencoder(table_as(Autoencoder, settings, "autoencoder").architecture, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = PaperModel(settings, autoencoder)
        draw(model.denoiser)
    return paper_model(
        model,
        kind="random",
        degradation=DEGRADATION,
        files={},
        provenance={
            "weights": MEANINGLESS,
            "seed": seed,
            "settings": {name: dict(table) for name, table in settings.items()},
            "weights_sha256": fingerprint(model.denoiser.state_dict()),
            "autoencoder_sha256": fingerprint(autoencoder.state_dict()),
        },
    )


def drawn_autoencoder(architecture: str, *, seed: int) -> KLAutoencoder:
    """As PyTorch draws its layers: GroupNorm keeps what passes through of one size. Its latents have unit variance.

    Without that the condition would be 20 times as small as the noise beside it, and no INT8 grid for both holds it.
    """
    net = new_autoencoder(architecture, seed=seed).requires_grad_(False).eval()
    phantoms = torch.stack([torch.from_numpy(unit(chest_phantom(HR_SIDE, seed=n)[None])) for n in range(PHANTOMS)])
    scale = unit_scale(KLAutoencoder(net), phantoms)
    net.register_to_config(scaling_factor=float(f"{scale:.3g}"))  # the same on every machine
    return KLAutoencoder(net)


def draw(denoiser: nn.Module) -> None:
    """Weights that keep the variance from ReLU to ReLU (arXiv 1502.01852, section 2.2), no biases, a small answer.

    As PyTorch draws them each layer shrinks what it is given, and after ten the biases are all that is left.
    """
    for layer in denoiser.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)
    last = denoiser.get_submodule("out")
    assert isinstance(last, nn.Conv2d)
    with torch.no_grad():
        last.weight.mul_(ANSWER)
