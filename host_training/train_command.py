"""``edge-sr-host train``."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from edge_sr.artifacts.bundle import default_bundle
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import UsageError
from host_training.data.augment import AUGMENTATIONS
from host_training.loop import CONFIGS, read_config
from host_training.loop.processes import Processes
from host_training.loop.results import results_of
from host_training.options import data_option

BASELINES = Path(__file__).resolve().parents[1] / "benchmarks" / "baselines"

# By name, so that one training does not import what only another needs.
TRAININGS = {
    "autoencoder": "host_training.train_autoencoder:train_autoencoder",
    "feedforward": "host_training.train_feedforward:train_feedforward",
    "diffusion": "host_training.train_diffusion:train_diffusion",
    "refine": "host_training.train_refine:train_refine",
    "qat": "host_training.train_qat:train_qat",
    "kl-autoencoder": "host_training.train_kl_autoencoder:train_kl_autoencoder",
    "paper": "host_training.train_paper:train_paper",
}
FROM_A_BUNDLE = {"refine": ("bundle", "baselines"), "qat": ("bundle",)}


@click.command(
    epilog=examples(
        "edge-sr-host train autoencoder --runs runs",
        "edge-sr-host train feedforward --runs runs",
        "edge-sr-host train diffusion --runs runs",
        "edge-sr-host train refine --runs runs           goes on from the default bundle",
        "edge-sr-host train paper --runs runs            the published system",
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
def train(
    network: str,
    data: Path,
    runs: Path,
    config: Path | None,
    augment: str | None,
    until: int | None,
    bundle: Path | None,
    baselines: Path | None,
) -> None:
    """Train NETWORK into RUNS/NETWORK. The diffusion model wants autoencoder and feedforward first.

    Called again with the same arguments it goes on from its checkpoint. The learning rate, the loss and the figures on
    the validation split are in metrics.jsonl, and in tensorboard/ where TensorBoard is installed.

    On several GPUs: accelerate launch --multi_gpu --num_processes 2 $(which edge-sr-host) train NETWORK ...
    """
    settings = read_config(config or CONFIGS / f"{network}.toml")
    if augment is not None:
        change_augmentation(settings, augment)
    given = {"bundle": bundle, "baselines": baselines}
    wanted = FROM_A_BUNDLE.get(network, ())
    for name, path in given.items():
        if path is not None and name not in wanted:
            option = "--from" if name == "bundle" else f"--{name}"
            raise UsageError(f"{network} starts from no bundle", where=option, hint="leave it out")
    defaults = {"bundle": default_bundle(), "baselines": BASELINES}
    start = {name: given[name] or defaults[name] for name in wanted}
    module, _, function = TRAININGS[network].partition(":")
    out = runs / network
    getattr(import_module(module), function)(settings, data_dir=data, out=out, until=until, **start)
    if Processes.joined().main:
        click.echo(results_of(out))


def change_augmentation(settings: dict[str, Any], name: str) -> None:
    """Set it where the configuration names one, else in every table that is a schedule."""
    tables = [table for table in settings.values() if isinstance(table, dict)]
    for table in [table for table in tables if "augment" in table] or [table for table in tables if "steps" in table]:
        table["augment"] = name
