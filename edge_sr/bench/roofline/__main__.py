"""``python -m edge_sr.bench.roofline [DEVICE] ...``: rooflines alone, without a bench around them."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click

from edge_sr.artifacts.bundle import Bundle, bundle_folder
from edge_sr.artifacts.chain import Networks, chain_of
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.bench.roofline.devices import THIS_CPU, Device, devices
from edge_sr.bench.roofline.of_bundle import roofline_of
from edge_sr.bench.roofline.text import SUMMARY, summary_row, table, text_of
from edge_sr.bench.roofline.this_cpu import measure_this_cpu
from edge_sr.bench.roofline.work import PRECISIONS
from edge_sr.errors import EdgeSRError
from edge_sr.models.engines import choose_networks


@click.command()
@click.argument("device", nargs=-1)
@click.option("--model", help="A bundle, or the word for one that ships.")
@click.option("--precision", type=click.Choice(PRECISIONS), multiple=True, default=("int8", "fp32"), show_default=True)
@click.option("--threads", type=click.IntRange(1), help="Of this processor.")
@click.option("--runs", type=click.IntRange(1), default=200, show_default=True, help="Of the measured graph.")
@click.option("--json", "as_json", is_flag=True, help="A list with an object for each device and precision.")
def main(
    device: tuple[str, ...],
    model: str | None,
    precision: tuple[str, ...],
    threads: int | None,
    runs: int,
    as_json: bool,
) -> None:
    """How fast a bundle could be on each DEVICE at best; without one, a table of all boards that are known."""
    try:
        found = _found(device, model, precision, threads=threads, runs=runs)
    except EdgeSRError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(found, indent=2))
    elif device:
        click.echo("\n\n".join(map(text_of, found)))
    else:
        click.echo(table(SUMMARY, map(summary_row, found)))


def _found(
    names: Sequence[str], model: str | None, precisions: Sequence[str], *, threads: int | None, runs: int
) -> list[dict[str, object]]:
    bundle = Bundle.open(bundle_folder(model))
    chain = chain_of(bundle)
    here: Device | None = measure_this_cpu(threads) if THIS_CPU in names else None
    found = []
    for name in names or devices():
        for each in precisions:
            networks = Networks.of_bundle(chain)
            if name == THIS_CPU:
                networks = choose_networks(chain, OnnxRuntime(threads), precision=each)
            found.append(roofline_of(bundle, networks, name, each, threads=threads, runs=runs, device=here))
    return found


if __name__ == "__main__":
    main()
