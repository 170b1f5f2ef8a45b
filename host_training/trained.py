"""What the trainings of each mode give to a bundle: networks with their weights, how they are run, what made them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from torch import nn

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.artifacts.manifest import DiffusionSpec, SamplerDefaults
from edge_sr.diffusion.samplers import SamplerTable
from edge_sr.errors import IntegrityError, UsageError
from host_training.data.picture_source import Data
from host_training.from_bundle import load_onnx_weights
from host_training.loop import CONFIGS, load_weights, read_config
from host_training.loop.checkpoints import fingerprint
from host_training.loop.record import Record
from host_training.nets.autoencoder import LATENT_CHANNELS
from host_training.nets.edge_model import EdgeModel
from host_training.nets.generators import Generator, deployed, make_generator, net_of
from host_training.nets.kl_autoencoder import load_autoencoder
from host_training.nets.paper_model import PaperModel
from host_training.settings import table_as
from host_training.train_paper import RECORD
from host_training.train_refine import START
from host_training.trainings import GENERATORS
from host_training.trainings import RECORD as REQUEST

LATENT_STRIDE = 2  # LR pixels per latent position
LOGGED_STEPS = 500  # of a record; the lines between stay behind
EDGE_CONFIGS = ("autoencoder", "feedforward", "diffusion")
EDGE_STAGES = ("autoencoder", "feedforward", "diffusion/latent", "diffusion/distil", "diffusion/joint")
NIH = "NIH ChestX-ray14 (Wang et al. 2017), training split of the protocol in docs/training.md"


@dataclass(frozen=True, eq=False)
class Trained:
    """The networks of a latent diffusion bundle, and the HR encoder, with which an evaluation compares.

    kind: edge, paper or random, which a model card describes. table: of the default sampler. degradation: as a manifest
    names it. files: texts under ``training/`` of the bundle.
    """

    family: ClassVar[str] = "latent_diffusion"
    scale: ClassVar[int] = 4
    channels: ClassVar[int] = 1

    kind: str
    encoder: nn.Module
    denoiser: nn.Module
    decoder: nn.Module
    hr_encoder: nn.Module
    diffusion: DiffusionSpec
    sampler: SamplerDefaults
    table: SamplerTable
    degradation: str
    files: Mapping[str, str]
    provenance: Mapping[str, object]


@dataclass(frozen=True, eq=False)
class TrainedGenerator:
    """The network of a feed-forward bundle, ready to be written; the names that it shares with Trained mean the same.

    kind: radiographs or natural, what it was trained on.
    """

    diffusion: ClassVar[None] = None
    sampler: ClassVar[None] = None

    kind: str
    generator: Generator
    family: str
    degradation: str
    files: Mapping[str, str]
    provenance: Mapping[str, object]

    @property
    def scale(self) -> int:
        return self.generator.scale

    @property
    def channels(self) -> int:
        return self.generator.channels


def edge(runs: Path, steps: int | None) -> Trained:
    """The edge model after its last stage. steps: of the default sampler, 1 unless given."""
    settings = read_config(CONFIGS / "diffusion.toml")
    model = EdgeModel(settings)
    load_weights(runs / "autoencoder" / "weights.safetensors", hr_encoder=model.hr_encoder)
    files = {f"{name}.toml": (CONFIGS / f"{name}.toml").read_text() for name in EDGE_CONFIGS}
    files["log.json"] = log_of(runs, EDGE_STAGES)
    weights = runs / "diffusion" / "joint" / "weights.safetensors"
    return edge_model(model, settings, weights, steps or 1, files=files, provenance={"training_data": NIH})


def refined(runs: Path, steps: int | None) -> Trained:
    """The edge model of another bundle, trained further; its record comes along. steps: 1 unless given."""
    settings = read_config(CONFIGS / "refine.toml")
    folder, start = runs / "refine", runs / "refine" / START
    model = EdgeModel(settings)
    load_onnx_weights(start / "hr_encoder.onnx", model.hr_encoder)
    files = {path.name: path.read_text() for path in sorted(start.glob("*.toml"))}
    files["refine.toml"] = (CONFIGS / "refine.toml").read_text()
    log = json.loads((start / "log.json").read_text()) | json.loads(log_of(runs, ["refine"]))
    files["log.json"] = json.dumps(log, indent=1) + "\n"
    before = json.loads((start / "manifest.json").read_text())
    origin = {name: before[name] for name in ("name", "version")}
    origin["sha256"] = file_sha256(start / "manifest.json")
    provenance = {"training_data": NIH, "refined_from": origin}
    return edge_model(model, settings, folder / "weights.safetensors", steps or 1, files=files, provenance=provenance)


def edge_model(
    model: EdgeModel,
    settings: Mapping[str, Any],
    weights: Path,
    steps: int,
    *,
    files: Mapping[str, str],
    provenance: Mapping[str, object],
) -> Trained:
    """An edge model with these weights, whichever training they are from."""
    sha256 = load_weights(weights, encoder=model.encoder, denoiser=model.denoiser, decoder=model.decoder)
    diffusion = DiffusionSpec(
        **settings["diffusion"],
        prediction_type="sample",
        latent_channels=LATENT_CHANNELS,
        latent_stride=LATENT_STRIDE,
    )
    return Trained(
        kind="edge",
        encoder=model.encoder,
        denoiser=model.denoiser,
        decoder=model.decoder,
        hr_encoder=model.hr_encoder,
        diffusion=diffusion,
        sampler=SamplerDefaults("ddim", steps, fidelity=1.0, seed=0),
        table=model.table(steps),
        degradation="area",
        files=files,
        provenance={"weights_sha256": sha256, **provenance},
    )


def paper(runs: Path, steps: int | None) -> Trained:
    """The published system: every step of DDPM, which no composed graph can hold.

    UsageError where ``steps`` are given or nothing was trained; IntegrityError where the autoencoder is another now.
    """
    refuse_steps(steps)
    if not (runs / "paper" / RECORD).is_file():
        raise UsageError("no such file", where=runs / "paper" / RECORD, hint=f"edge-sr-host train paper --runs {runs}")
    record = json.loads((runs / "paper" / RECORD).read_text())
    source = record["settings"]["autoencoder"]["source"]
    autoencoder = load_autoencoder(source)
    if fingerprint(autoencoder.state_dict()) != record["autoencoder_sha256"]:
        raise IntegrityError("is not the autoencoder that this denoiser was trained with", where=source)
    model = PaperModel(record["settings"], autoencoder)
    sha256 = load_weights(runs / "paper" / "weights.safetensors", denoiser=model.denoiser)
    if Path(source).is_dir():  # where it lay is nobody's business
        record["settings"]["autoencoder"]["source"] = Path(source).name
    return paper_model(
        model,
        kind="paper",
        degradation=record["degradation"].partition("-")[0],  # a manifest does not say what the cubic started from
        files={RECORD: json.dumps(record, indent=1) + "\n", "log.json": log_of(runs, ["paper"])},
        provenance={
            "weights_sha256": sha256,
            "autoencoder_sha256": record["autoencoder_sha256"],
            "data_manifest_sha256": record["data_manifest_sha256"],
        },
    )


def refuse_steps(steps: int | None) -> None:
    """UsageError where a composed graph is asked of paper mode."""
    if steps:
        what = "paper mode runs every step of DDPM and has no composed graph"
        raise UsageError(what, where="--steps", hint="leave it out; edge-sr run --sampler ddim --steps K takes fewer")


def paper_model(
    model: PaperModel, *, kind: str, degradation: str, files: Mapping[str, str], provenance: Mapping[str, object]
) -> Trained:
    """The published system with these weights, wherever they are from; every step of DDPM by default."""
    every = len(model.alphas_cumprod)
    return Trained(
        kind=kind,
        encoder=model.encoder,
        denoiser=model.denoiser,
        decoder=model.decoder,
        hr_encoder=model.hr_encoder,
        diffusion=DiffusionSpec(
            **asdict(model.diffusion), latent_channels=LATENT_CHANNELS, latent_stride=LATENT_STRIDE
        ),
        sampler=SamplerDefaults("ddpm", every, fidelity=0.0, seed=0),
        table=model.table("ddpm", every),
        degradation=degradation,
        files=files,
        provenance=provenance,
    )


def generator(name: str, runs: Path, steps: int | None) -> TrainedGenerator:
    """The feed-forward network of the training ``name``.

    UsageError where ``steps`` are given or nothing was trained.
    """
    if steps:
        raise UsageError("a feed-forward network has no steps", where="--steps", hint="leave it out")
    folder = runs / name
    if not (folder / REQUEST).is_file():
        raise UsageError("no such file", where=folder / REQUEST, hint=f"edge-sr-host train {name} --runs {runs}")
    record = json.loads((folder / REQUEST).read_text())
    settings = record["settings"]
    net = make_generator(settings["generator"])
    sha256 = load_weights(folder / "weights.safetensors", generator=net)
    data = table_as(Data, settings, "data")
    provenance: dict[str, object] = {"weights_sha256": sha256}
    if record.get("start"):
        provenance["start_sha256"] = record["start"]["sha256"]
    if record["data_manifest_sha256"]:
        provenance["data_manifest_sha256"] = record["data_manifest_sha256"]
    return TrainedGenerator(
        kind=data.kind,
        generator=deployed(net),
        family=net_of(settings["generator"]).family,
        degradation=data.degradation.removesuffix("-from-hr"),
        files={REQUEST: json.dumps(record, indent=1) + "\n", "log.json": log_of(runs, stages(runs, name))},
        provenance=provenance,
    )


def stages(runs: Path, name: str) -> list[str]:
    """The trainings in ``runs`` that led to this one, it last."""
    before: list[str] = []
    start = json.loads((runs / name / REQUEST).read_text()).get("start")
    if start and start["training"] and (runs / start["training"] / REQUEST).is_file():
        before = stages(runs, start["training"])
    return [*before, name]


MODES: Mapping[str, Callable[[Path, int | None], Trained | TrainedGenerator]] = {
    "edge": edge,
    "refined": refined,
    "paper": paper,
    **{name: partial(generator, name) for name in GENERATORS},
}


def log_of(runs: Path, stages: Iterable[str]) -> str:
    """The records of some trainings as one JSON text, thinned out."""
    log = {stage: Record(runs / stage).lines() for stage in stages}
    kept = {
        stage: [line for line in lines if line["step"] % LOGGED_STEPS == 0 or line["step"] == lines[-1]["step"]]
        for stage, lines in log.items()
    }
    return json.dumps(kept, indent=1) + "\n"
