"""Go on training the model of a bundle: ``edge-sr-host train refine``.

The joint stage of ``train_diffusion`` from finished weights: on other pictures, with other weights of the losses, or
just longer. The HR encoder, which a bundle does not ship, comes from the baselines beside it and stays as it is.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from edge_sr.artifacts.bundle import Bundle
from edge_sr.image.atomic import write_atomically
from host_training.data.crops import load_pictures
from host_training.from_bundle import load_onnx_weights
from host_training.loop import Config, Schedule, Trainer, read_config
from host_training.losses import Lpips, lpips_weights
from host_training.nets.edge_model import EdgeModel
from host_training.settings import table_as
from host_training.train_diffusion import figures, image_loss

START = "start"  # folder with what is known of the bundle that a training started from


def train_refine(
    config: Config, *, data_dir: Path, out: Path, bundle: Path, baselines: Path, until: int | None = None
) -> None:
    """Weights of encoder, denoiser and decoder into ``out``; baselines: the folder with hr_encoder.onnx."""
    settings = read_config(config)
    nets, start = EdgeModel(settings), Bundle.open(bundle)
    sources = {role: start.path(role) for role in ("encoder", "denoiser", "decoder")}
    sources["hr_encoder"] = baselines / "hr_encoder.onnx"
    hashes = [load_onnx_weights(path, getattr(nets, role)) for role, path in sources.items()]
    nets.freeze()
    trainer = Trainer(
        out,
        nets.learnt(decoder=True),
        table_as(Schedule, settings, "refine"),
        origin=hashlib.sha256("".join(hashes).encode()).hexdigest(),
    )
    with trainer.main_first():
        keep_start(start, sources["hr_encoder"], out / START)
        pictures = load_pictures(data_dir, "train", cache_dir=out.parent)
    nets.hr_encoder.to(trainer.device)
    lpips = Lpips(lpips_weights(data_dir)).to(trainer.device)
    loss = image_loss(nets, trainer, pictures, lpips, settings["loss"])
    trainer.run(loss, validate=figures(nets, trainer, data_dir, out.parent, lpips), until=until)


def keep_start(bundle: Bundle, hr_encoder: Path, folder: Path) -> None:
    """How the bundle was trained, for the record of the one that comes after it, and its HR encoder."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = [bundle.folder / "manifest.json", *sorted((bundle.folder / "training").glob("*")), hr_encoder]
    for source in kept:
        if not (folder / source.name).is_file():
            write_atomically(folder / source.name, source.read_bytes())
