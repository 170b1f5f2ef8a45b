"""``edge-sr-host train``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from edge_sr.artifacts.bundle import default_bundle, file_sha256
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.image.atomic import write_atomically
from host_training.data.augment import AUGMENTATIONS
from host_training.data.protocol import listing
from host_training.loop import CONFIGS, read_config
from host_training.loop.processes import Processes
from host_training.loop.results import results_of
from host_training.options import data_option
from host_training.trainings import RECORD, TRAININGS, Training

BASELINES = Path(__file__).resolve().parents[1] / "benchmarks" / "baselines"


@click.command(
    epilog=examples(
        "edge-sr-host train autoencoder --runs runs",
        "edge-sr-host train feedforward --runs runs",
        "edge-sr-host train diffusion --runs runs",
        "edge-sr-host train refine --runs runs           goes on from the default bundle",
        "edge-sr-host train paper --runs runs            the published system",
        "edge-sr-host train fast --runs runs             the feed-forward model for radiographs",
        "edge-sr-host train espcn --data DIV2K --runs runs",
        "edge-sr-host train rrdb-gan --runs runs --start x4plus.safetensors",
        "edge-sr-host train autoencoder --runs trial --config my.toml --until 100",
    )
)
@click.argument("network", type=click.Choice(list(TRAININGS)))
@data_option
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Output folder.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; the default is the shipped one.")
@click.option("--augment", type=click.Choice(list(AUGMENTATIONS)), help="Instead of what the configuration says.")
@click.option(
    "--until", type=click.IntRange(min=1), help="Stop after this step of the stage in progress, to go on later."
)
@click.option(
    "--from", "bundle", type=click.Path(path_type=Path), help="For refine and qat.  [default: the shipped one]"
)
@click.option(
    "--baselines",
    type=click.Path(path_type=Path),
    help="For refine: folder with the bundle's hr_encoder.onnx.  [default: benchmarks/baselines]",
)
@click.option(
    "--start",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="For a feed-forward net: weights to begin with, of an earlier training or from `edge-sr-host "
    "convert-weights`.",
)
@click.option(
    "--start-discriminator",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The same for the discriminator.",
)
def train(
    network: str,
    data: Path,
    runs: Path,
    config: Path | None,
    augment: str | None,
    until: int | None,
    bundle: Path | None,
    baselines: Path | None,
    start: Path | None,
    start_discriminator: Path | None,
) -> None:
    """Train NETWORK into RUNS/NETWORK. The diffusion model wants autoencoder and feedforward first.

    Called again with the same arguments it goes on from its checkpoint. The learning rate, the loss and the figures on
    the validation split are in metrics.jsonl, and in tensorboard/ where TensorBoard is installed.

    On several GPUs: accelerate launch --multi_gpu --num_processes 2 $(which edge-sr-host) train NETWORK ...
    """
    settings = read_config(config or CONFIGS / f"{network}.toml")
    if augment is not None:
        change_augmentation(settings, augment)
    training, out = TRAININGS[network], runs / network
    given = {"bundle": bundle, "baselines": baselines, "start": start, "start_discriminator": start_discriminator}
    begun = _beginning(network, training, given)
    if training.gives_generator and Processes.joined().main:
        record_request(out, settings, data, start=start)
    module, _, function = training.function.partition(":")
    getattr(import_module(module), function)(settings, data_dir=data, out=out, until=until, **begun)
    if Processes.joined().main:
        click.echo(results_of(out))


def _beginning(network: str, training: Training, given: Mapping[str, Path | None]) -> dict[str, Path | None]:
    """What the training is given to begin with. UsageError for what it does not take."""
    for name, path in given.items():
        if path is not None and name not in training.takes:
            option = "--from" if name == "bundle" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{network} does not take it", where=option, hint="leave it out")
    defaults = {"bundle": default_bundle(), "baselines": BASELINES}
    return {name: given[name] or defaults.get(name) for name in training.takes}


def record_request(out: Path, settings: Mapping[str, Any], data: Path, *, start: Path | None = None) -> None:
    """What a bundle of the result has to tell: the settings, which pictures it was trained on, and after what.

    start: the weights it began with; those of another training in the same folder of runs are known by its name.
    """
    try:
        listed = file_sha256(listing(data))
    except EdgeSRError:  # a folder of pictures without a listing
        listed = None
    out.mkdir(parents=True, exist_ok=True)
    record: dict[str, Any] = {"settings": dict(settings), "data_manifest_sha256": listed, "start": None}
    if start is not None:
        stage = start.parent.name if start.parent.resolve().parent == out.resolve().parent else None
        record["start"] = {"sha256": file_sha256(start), "training": stage}
    write_atomically(out / RECORD, json.dumps(record, indent=1).encode() + b"\n", overwrite=True)


def change_augmentation(settings: dict[str, Any], name: str) -> None:
    """Set it where the configuration names one, else in every table that is a schedule."""
    tables = [table for table in settings.values() if isinstance(table, dict)]
    for table in [table for table in tables if "augment" in table] or [table for table in tables if "steps" in table]:
        table["augment"] = name
