"""Options that several commands of ``edge-sr-host`` share."""

from __future__ import annotations

from pathlib import Path

import click

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="EDGE_SR_DATA",
    required=True,
    help="Folder with MANIFEST.csv and the pictures, a prepared store, or natural pictures. Also EDGE_SR_DATA.",
)
