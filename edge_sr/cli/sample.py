"""``edge-sr sample``: a synthetic radiograph to try things on, without a picture of any patient."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sr.cli.lazy_group import examples

SCALE = 4


@click.command(
    epilog=examples(
        "edge-sr sample chest.png",
        "edge-sr sample chest.png --hr chest_truth.png",
        "edge-sr sample chest.png --size 120 --seed 3 --bit-depth 16",
    )
)
@click.argument("out", metavar="OUT.png", type=click.Path(path_type=Path))
@click.option("--size", type=click.IntRange(8, 1024), default=64, show_default=True, help="Width and height.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Another seed, another chest.")
@click.option("--bit-depth", type=click.Choice(["8", "16"]), default="8", show_default=True)
@click.option("--hr", type=click.Path(path_type=Path), metavar="FILE", help="Also write the picture before reduction.")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def sample(out: Path, size: int, seed: int, bit_depth: str, hr: Path | None, overwrite: bool) -> None:
    """Write a synthetic chest radiograph: the 4x4 mean of a phantom four times as wide and high."""
    from edge_sr.image.consistency import area_mean
    from edge_sr.image.phantom import chest_phantom
    from edge_sr.image.png import write_png
    from edge_sr.image.radiograph import from_unit, to_unit

    depth = int(bit_depth)
    phantom = chest_phantom(size * SCALE, seed=seed, bit_depth=depth)  # (size * 4, size * 4)
    reduced = from_unit(area_mean(to_unit(phantom), SCALE), depth)  # (size, size)
    text = {"Description": "Synthetic chest phantom, no patient", "Software": "edge-sr"}
    for path, pixels in [(out, reduced), *([(hr, phantom)] if hr else [])]:
        write_png(path, pixels, text=text, overwrite=overwrite)
        click.echo(path)
