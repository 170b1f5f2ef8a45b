"""``edge-sr-host convert-weights``: published weights, once, from a pickle to a file that is only numbers."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_sr.artifacts.bundle import file_sha256
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import UsageError
from host_training.loop import write_tensors
from host_training.published_weights import published


@click.command(
    "convert-weights",
    epilog=examples(
        "edge-sr-host convert-weights RealESRGAN_x4plus.pth -o x4plus.safetensors",
        "edge-sr-host convert-weights RealESRGAN_x4plus.pth -o x4plus-grey.safetensors --grey",
    ),
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The safetensors file to write.")
@click.option("--grey", is_flag=True, help="For one channel: the mean of what three equal ones give.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def convert_weights_command(file: Path, out: Path, grey: bool, overwrite: bool) -> None:
    """Convert the .pth FILE of a Real-ESRGAN generator or discriminator, to start a training from.

    It is read as tensors alone; a file that could run code is refused. The network is told from the names and shapes.
    """
    if out.exists() and not overwrite:
        raise UsageError("is there already", where=out, hint="--overwrite")
    if not out.parent.is_dir():
        raise UsageError("no such folder", where=out.parent)
    found = published(file).grey() if grey else published(file)
    metadata = {
        "net": found.net,
        "settings": json.dumps(dict(found.settings)),
        "source": file.name,
        "source_sha256": file_sha256(file),
    }
    tensors = {f"{found.role}.{name}": value for name, value in found.tensors.items()}
    write_tensors(out, tensors, metadata=metadata)
    count = sum(value.numel() for value in found.network.parameters())
    options = ", ".join(f"{name} = {json.dumps(value)}" for name, value in found.settings.items())
    click.echo(f"{out}: {found.role} {found.net} ({options}), {count:,} parameters")
