"""``edge-sr engines explain``: which part of an engine's key is no longer what it was."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from edge_sr.artifacts.bundle import Bundle, bundle_folder
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_cache import cache_folders, entries
from edge_sr.artifacts.engine_entry import Damaged, Entry
from edge_sr.artifacts.engine_key import PRECISIONS, Difference, EngineKey, Machine
from edge_sr.artifacts.manifest import SAMPLERS
from edge_sr.backends.here import machines_here
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import UsageError

SCHEMA_VERSION = 1


@click.command(
    epilog=examples(
        "edge-sr engines explain",
        "edge-sr engines explain my-bundle",
        "edge-sr engines explain --precision int8 --steps 4",
    )
)
@click.argument("bundle", required=False, type=click.Path(path_type=Path))
@click.option("--precision", type=click.Choice(PRECISIONS), help="Compare with a build of this precision.")
@click.option("--sampler", type=click.Choice(SAMPLERS), help="Compare with a build for this sampler.")
@click.option("--steps", type=click.IntRange(1), metavar="K", help="Compare with a build of this many steps.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def explain(bundle: Path | None, precision: str | None, sampler: str | None, steps: int | None, as_json: bool) -> None:
    """Say for each engine which part of its key differs from BUNDLE (the default one) and this machine as they are now.

    What is not asked for is compared as the engine has it.
    """
    opened, machines = Bundle.open(bundle_folder(bundle)), machines_here()
    asked = {name: value for name, value in (("sampler", sampler), ("steps", steps)) if value is not None}
    rows = []
    for each in (each for folder in cache_folders() for each in entries(folder)):
        if isinstance(each, Damaged):
            click.echo(f"note: {each.name} cannot be read ({each.reason})", err=True)
            continue
        differing = _differences(each.key, opened, machines, asked)
        if precision not in (None, each.key.precision):
            differing.append(Difference("precision", each.key.precision, str(precision)))
        rows.append(_row(each, differing))
    _report(opened, rows, as_json=as_json)


def _report(bundle: Bundle, rows: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "bundle": str(bundle.folder), "engines": rows}
        click.echo(json.dumps(document, indent=2))
        return
    for row in rows:
        click.echo(f"{'fits' if row['fits'] else 'differs':<8} {row['name']}")
        for each in row["differences"]:
            click.echo(f"{'':<9}{each['part']}: built {_short(each['built'])}, now {_short(each['now'])}")
    if not rows:
        click.echo("no engines; try: edge-sr build")


def _short(value: str) -> str:
    """A sha256 to be told from another by eye; --json has it whole."""
    return value[:12] if re.fullmatch("[0-9a-f]{64}", value) else value


def _row(entry: Entry, differing: list[Difference]) -> dict[str, Any]:
    parts = [{"part": part, "built": mine, "now": theirs} for part, mine, theirs in differing]
    return {"name": entry.name, "cache": str(entry.folder.parent), "fits": not parts, "differences": parts}


def _differences(
    key: EngineKey, bundle: Bundle, machines: Mapping[str, Machine], asked: Mapping[str, Any]
) -> list[Difference]:
    """Of ``key`` and the key that the same build would have now. asked: sampler and steps, where given."""
    try:
        chain = chain_of(bundle, **{"sampler": key.sampler, "steps": key.steps, **asked})
    except UsageError as error:
        if asked:
            raise
        return [Difference("steps", str(key.steps), f"{error.what} in this bundle")]
    now = replace(
        key.on(machines[key.backend]) if key.backend in machines else key,
        chain_sha256=chain.sha256,
        sampler=chain.sampler,
        steps=chain.steps,
        roles=chain.roles,
        tile=bundle.manifest.input.tile,
    )
    absent = [] if key.backend in machines else [Difference("backend", key.backend, "cannot run here")]
    return absent + key.difference(now)
