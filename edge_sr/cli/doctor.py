"""``edge-sr doctor``: what this machine has, and what to type where something is missing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import click

from edge_sr.cli.exit_codes import ENVIRONMENT
from edge_sr.cli.lazy_group import examples
from edge_sr.doctor import Check, all_checks, as_report, engines, look_around

MARKS = {"ok": "ok", "note": "note", "fault": "FAULT", "absent": "-"}


def tell(checks: Iterable[Check]) -> int:
    """Print them group by group, each as soon as it is done; the number of faults."""
    group, faults = "", 0
    for check in checks:
        if check.group != group:
            group = check.group
            click.echo(group)
        click.echo(f"  {MARKS[check.status]:<6}{check.name:<13}{check.found}")
        if check.hint:
            click.echo(f"{'':<21}try: {check.hint}")
        faults += check.status == "fault"
    click.echo(f"faults: {faults}" if faults else "ready")
    return faults


@click.command(
    epilog=examples(
        "edge-sr doctor",
        "edge-sr doctor --output /data/out",
        "edge-sr doctor --measure        on a GPU, after edge-sr build: copies or zero-copy",
        "edge-sr doctor --json | jq .checks",
    )
)
@click.option("--output", type=click.Path(path_type=Path), default=".", show_default=True, help="Folder to write to.")
@click.option(
    "--measure",
    is_flag=True,
    help="Time the engine of the default model with copied and with shared host memory, and keep the faster.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def doctor(ctx: click.Context, output: Path, measure: bool, as_json: bool) -> None:
    """Check Python and packages, the machine, its GPU, the models and their engines, and the disk.

    Each line that fails says what to type. Exits 3 where something is missing that `edge-sr run` needs, or on a Jetson
    its GPU. "-" stands before what this machine has not and needs not.
    """
    if measure:
        click.echo(f"host memory: {engines.told(engines.measure())}", err=as_json)
    here = look_around(output)
    if as_json:
        document = as_report(here, all_checks(here))
        click.echo(json.dumps(document, indent=2))
        sound = document["ok"]
    else:
        sound = tell(all_checks(here)) == 0
    if not sound:
        ctx.exit(ENVIRONMENT)
