"""``edge-sr-host train``."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sr.cli.lazy_group import examples
from host_training.loop import CONFIGS
from host_training.options import data_option
from host_training.train_autoencoder import train_autoencoder
from host_training.train_diffusion import train_diffusion
from host_training.train_feedforward import train_feedforward

TRAININGS = {"autoencoder": train_autoencoder, "feedforward": train_feedforward, "diffusion": train_diffusion}


@click.command(
    epilog=examples(
        "edge-sr-host train autoencoder --runs runs",
        "edge-sr-host train feedforward --runs runs",
        "edge-sr-host train diffusion --runs runs",
        "edge-sr-host train autoencoder --runs trial --config my.toml --until 100",
    )
)
@click.argument("network", type=click.Choice(list(TRAININGS)))
@data_option
@click.option("--runs", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Output folder.")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file; the default is the shipped one.")
@click.option(
    "--until", type=click.IntRange(min=1), help="Stop after this step of the stage in progress, to go on later."
)
def train(network: str, data: Path, runs: Path, config: Path | None, until: int | None) -> None:
    """Train NETWORK into RUNS/NETWORK. The diffusion model wants the other two first.

    Called again with the same arguments it goes on from its checkpoint. The learning rate, the loss and the figures on
    the validation split are in metrics.jsonl.
    """
    TRAININGS[network](config or CONFIGS / f"{network}.toml", data_dir=data, out=runs / network, until=until)
