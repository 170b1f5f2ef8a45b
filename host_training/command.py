"""The command line of the training host: a table of names, like that of ``edge-sr``."""

from __future__ import annotations

import click

from edge_sr import __version__
from edge_sr.cli.lazy_group import LazyGroup, examples

COMMANDS = {
    "download": (
        "host_training.download.command:download",
        "Fetch archives of NIH ChestX-ray14, check and unpack them.",
    ),
    "prepare": (
        "host_training.prepare.command:prepare",
        "Make training pairs of a folder of radiographs, split by patient.",
    ),
    "contact-sheet": (
        "host_training.contact_sheet:contact_sheet_command",
        "Draw what a training is shown, before it is started.",
    ),
    "multiscale": (
        "host_training.multiscale:multiscale_command",
        "Write a folder of pictures at five sizes, to train from.",
    ),
    "convert-weights": (
        "host_training.convert_weights:convert_weights_command",
        "Convert published Real-ESRGAN weights to safetensors.",
    ),
    "train": ("host_training.train_command:train", "Train one network; called again, go on where it stopped."),
    "export": ("host_training.export:export", "Make a bundle, and the nets it is compared with, from trainings."),
    "evaluate": ("host_training.evaluate:evaluate_command", "Measure bundles on held-out patients against baselines."),
    "figures": ("host_training.figures.command:figures_command", "Draw an evaluation's figures and its page again."),
}

group = LazyGroup(
    "edge-sr-host",
    table=COMMANDS,
    needs='pip install "edge-sr[host]"',
    help="Train the edge model, evaluate it honestly, and pack it as a bundle.",
    epilog=examples(
        "edge-sr-host train autoencoder --runs runs",
        "edge-sr-host train feedforward --runs runs",
        "edge-sr-host train diffusion --runs runs",
        "edge-sr-host export --runs runs -o bundle",
        "edge-sr-host evaluate bundle --out evaluation",
    ),
)
click.version_option(__version__, prog_name="edge-sr-host", message="%(prog)s %(version)s")(group)


def main() -> None:
    """Entry point of the console script ``edge-sr-host``."""
    group()


if __name__ == "__main__":
    main()
