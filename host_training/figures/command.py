"""``edge-sr-host figures``: draw an evaluation again, without measuring again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from edge_sr.cli.lazy_group import examples
from host_training.data.protocol import grey_of
from host_training.figures.write import KINDS, PAGE, SHEET, write_figures


@click.command(
    "figures",
    epilog=examples(
        "edge-sr-host figures evaluation",
        "edge-sr-host figures evaluation --runs runs",
        "edge-sr-host figures evaluation --runs runs --bundle bundle",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--runs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="Folder with trainings, for their curves; may be given several times.  [default: the record in the bundle]",
)
@click.option(
    "--bundle",
    "bundles",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="A bundle that was measured, to draw its networks; may be given several times.  [default: the shipped one]",
)
def figures_command(folder: Path, runs: Sequence[Path], bundles: Sequence[Path]) -> None:
    """Draw the figures of FOLDER, which ``edge-sr-host evaluate`` has written, and its page index.html.

    Reads metrics.json, per-image.csv and the pictures there; replaces index.html and the files in figures/.
    """
    sheet = folder / f"{SHEET}.png"
    write_figures(
        folder,
        runs=runs,
        pictures=pictures_in(folder),
        sheet=grey_of(sheet) if sheet.is_file() else None,
        bundles=bundles,
    )
    click.echo(folder / PAGE)


def pictures_in(folder: Path) -> dict[str, np.ndarray]:
    """The panels that an evaluation has left there, (H, W) uint8 by name; InputError for one that cannot be decoded."""
    paths = [path for kind in KINDS for path in sorted(folder.glob(f"{kind}-*.png"))]
    return {path.stem: grey_of(path) for path in paths}
