"""``edge-sr-host export``: trained networks become ONNX files, one composed graph, and a bundle.

Every file is checked in ONNX Runtime against PyTorch before it is packed. The nets that an evaluation compares with
(the regression and the HR encoder) are written beside it, not into it: a device has no use for them.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import click
import torch

from edge_sr import __version__
from edge_sr.artifacts.bundle import file_sha256, write_bundle
from edge_sr.artifacts.manifest import InputSpec, Manifest, SamplerDefaults
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import UsageError
from host_training.data.protocol import listing
from host_training.evaluation.record import condensed, read_record
from host_training.export_networks import TILE, export_networks
from host_training.loop import CONFIGS, load_weights, read_config
from host_training.model_card import model_card
from host_training.nets.feedforward import FeedForward
from host_training.random_weights import CONFIG
from host_training.random_weights import random_weights as drawn
from host_training.to_onnx import to_onnx
from host_training.trained import MODES, Trained, TrainedGenerator, refuse_steps

RANDOM = "random"  # as the bundle calls itself, in its name and its version
PIXELS = {
    "area": "area means of a finer picture",
    "cubic": "interpolated from a finer picture, bicubic without antialiasing",
    "bicubic": "interpolated from a finer picture, bicubic with antialiasing",
    "bicubic-blur": "interpolated from a finer picture and blurred",
    "high-order": "a finer picture's after blur, noise and JPEG",
}
SUBJECTS = {"natural": "natural pictures in colour"}  # by kind; else radiographs
NO_USE = "Measuring what building and running such networks costs: the weights are random, the pictures mean nothing."


@click.command(
    epilog=examples(
        "edge-sr-host export --runs runs -o bundle",
        "edge-sr-host export --runs runs -o bundle --baselines benchmarks/baselines",
        "edge-sr-host export --runs runs -o bundle --evaluation evaluation/metrics.json --overwrite",
        "edge-sr-host export --mode paper --runs runs -o published",
        "edge-sr-host export --mode paper --random-weights -o published",
        "edge-sr-host export --mode fast --runs runs -o fast",
    )
)
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The bundle, a new folder.")
@click.option(
    "--mode",
    type=click.Choice(list(MODES)),
    default="edge",
    show_default=True,
    help="edge: RUNS/autoencoder and RUNS/diffusion. refined: RUNS/refine. paper: RUNS/paper, the published system. "
    "Any other: the feed-forward network of RUNS/MODE.",
)
@click.option("--random-weights", is_flag=True, help="Of mode paper: no training at all, the pictures mean nothing.")
@click.option("--seed", type=click.IntRange(min=0), help="Of the random weights.  [default: 0]")
@click.option("--name", help="[default: cxr-x4-MODE]")
@click.option("--steps", type=click.IntRange(1, 8), help="Steps of the composed graph.  [default: 1]")
@click.option("--fidelity", type=click.FloatRange(0, 1), help="Default of the bundle.  [default: edge 1, paper 0]")
@click.option("--data", type=click.Path(path_type=Path), envvar="EDGE_SR_DATA", help="Its MANIFEST.csv is recorded.")
@click.option("--evaluation", type=click.Path(path_type=Path, exists=True), help="metrics.json of this model.")
@click.option(
    "--baselines",
    type=click.Path(path_type=Path),
    help="Also write hr_encoder.onnx here, and regression.onnx where RUNS/feedforward is.",
)
@click.option("--overwrite", is_flag=True, help="Replace an existing bundle.")
def export(
    runs: Path,
    out: Path,
    mode: str,
    random_weights: bool,
    seed: int | None,
    name: str | None,
    steps: int | None,
    fidelity: float | None,
    data: Path | None,
    evaluation: Path | None,
    baselines: Path | None,
    overwrite: bool,
) -> None:
    """Make a bundle from the trainings in RUNS."""
    trained = untrained(mode, steps, seed or 0) if random_weights else from_runs(mode, runs, steps, seed)
    if baselines and not isinstance(trained, Trained):
        raise UsageError(f"mode {mode} has no HR encoder", where="--baselines", hint="leave it out")
    record = condensed(read_record(evaluation)) if evaluation else {}
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        staging = Path(folder) / "bundle"
        networks = export_networks(trained, staging)
        manifest = Manifest(
            name=name or f"cxr-x4-{mode}" + f"-{RANDOM}" * random_weights,
            version=__version__ + f"+{RANDOM}" * random_weights,
            family=trained.family,
            scale=trained.scale,
            input=InputSpec(channels=trained.channels, degradation=trained.degradation, tile=TILE),
            diffusion=trained.diffusion,
            sampler=_sampler(trained, fidelity),
            networks=networks,
            intended_use=NO_USE if random_weights else intended_use(trained),
            evaluation=record,
            provenance=provenance(trained, None if random_weights else data),
        )
        for file, text in trained.files.items():
            (staging / "training").mkdir(exist_ok=True)
            (staging / "training" / file).write_text(text)
        (staging / "MODEL_CARD.md").write_text(model_card(manifest, trained.kind))
        bundle = write_bundle(out, staging=staging, manifest=manifest, overwrite=overwrite)
    click.echo(f"{out}: {sum(f.stat().st_size for f in out.rglob('*') if f.is_file()) / 1e6:.1f} MB, {bundle.sha256}")
    if baselines and isinstance(trained, Trained):
        export_baselines(trained, runs, baselines)


def intended_use(trained: Trained | TrainedGenerator) -> str:
    subject = SUBJECTS.get(trained.kind, "frontal chest radiographs")
    return (
        f"Research on super-resolution of {subject} whose pixels are {PIXELS[trained.degradation]}. "
        "Not for diagnostic use."
    )


def _sampler(trained: Trained | TrainedGenerator, fidelity: float | None) -> SamplerDefaults | None:
    """What runs when nothing else is asked for. UsageError for the fidelity of a network that draws no noise."""
    if fidelity is None:
        return trained.sampler
    if trained.sampler is not None:
        return replace(trained.sampler, fidelity=fidelity)
    raise UsageError("this network draws no noise", where="--fidelity", hint="leave it out")


def from_runs(mode: str, runs: Path, steps: int | None, seed: int | None) -> Trained | TrainedGenerator:
    """What was trained. UsageError where nothing was, and for options of random weights."""
    if seed is not None:
        raise UsageError("only random weights have one", where="--seed", hint="leave it out, or --random-weights")
    if not runs.exists():
        raise UsageError("no such folder", where=runs, expected="--runs with a training", hint="edge-sr-host train")
    return MODES[mode](runs, steps)


def untrained(mode: str, steps: int | None, seed: int) -> Trained:
    """The published system with random weights. UsageError for other modes and fewer steps."""
    if mode != "paper":
        raise UsageError("only the published system has them", where="--random-weights", expected="--mode paper")
    refuse_steps(steps)
    return drawn(read_config(CONFIGS / CONFIG), seed=seed)


def provenance(trained: Trained | TrainedGenerator, data: Path | None) -> dict[str, object]:
    """Where the weights came from."""
    record: dict[str, object] = {"code_version": __version__, **trained.provenance}
    if data:
        record.setdefault("data_manifest_sha256", file_sha256(listing(data)))
    return record


def export_baselines(trained: Trained, runs: Path, folder: Path) -> None:
    """The nets that ``edge-sr-host evaluate`` compares with."""
    folder.mkdir(parents=True, exist_ok=True)
    hr = torch.rand(2, 1, TILE * trained.scale, TILE * trained.scale)
    to_onnx(trained.hr_encoder, folder / "hr_encoder.onnx", {"hr": hr}, "latents")
    if (runs / "feedforward").is_dir():
        regression = FeedForward(**read_config(CONFIGS / "feedforward.toml")["generator"])
        load_weights(runs / "feedforward" / "weights.safetensors", generator=regression)
        to_onnx(regression, folder / "regression.onnx", {"lr": torch.rand(2, 1, TILE, TILE)}, "sr")
