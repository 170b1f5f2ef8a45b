"""``edge-sr engines``: what is in the engine cache, whether it is sound, and why an engine does not serve here."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from edge_sr.artifacts.engine_cache import best, cache_folders, entries, standing
from edge_sr.artifacts.engine_entry import Damaged, Entry, folder_bytes
from edge_sr.artifacts.engine_folder import build_lock, check_folder
from edge_sr.artifacts.engine_key import Machine
from edge_sr.artifacts.engine_publish import leftovers, remove, sweep
from edge_sr.backends.here import machines_here
from edge_sr.cli.engines_explain import explain
from edge_sr.cli.exit_codes import INTEGRITY
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import EnvironmentFault

SCHEMA_VERSION = 1
REMOVED = ("damaged", "stale")  # the standings that prune removes


@click.group(
    epilog=examples(
        "edge-sr engines list", "edge-sr engines verify", "edge-sr engines explain", "edge-sr engines prune --dry-run"
    )
)
def engines() -> None:
    """List, verify, explain and prune the engines that `edge-sr build` made."""


engines.add_command(explain)


@engines.command("list", epilog=examples("edge-sr engines list", "edge-sr engines list --json | jq .engines"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_engines(as_json: bool) -> None:
    """List every engine; a * marks the fastest of its chain on this machine, which `edge-sr run` takes."""
    machines = machines_here()
    found = _everything()
    used = _used(found, machines)
    rows = [_row(each, machines) | {"used": each.folder in used} for each in found]
    if as_json:
        _print_json({"folders": list(map(str, cache_folders())), "engines": rows})
        return
    for folder in cache_folders():
        click.echo(f"{folder}" if folder.is_dir() else f"{folder} (not there yet)")
        for row in (row for row in rows if row["cache"] == str(folder)):
            _print_row(row)
    if not rows:
        click.echo("no engines; try: edge-sr build")


@engines.command(epilog=examples("edge-sr engines verify", "edge-sr engines verify --json"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def verify(ctx: click.Context, as_json: bool) -> None:
    """Check hash, owner and mode of every file of every engine. Exits 5 where one is damaged."""
    machines = machines_here()
    rows = [_row(each, machines) for each in _everything()]
    damaged = [row for row in rows if row["status"] == "damaged"]
    if as_json:
        _print_json({"ok": not damaged, "engines": rows})
    else:
        for row in rows:
            click.echo(f"{row['status']:<10} {row['name']}" + (f"\n{'':<11}{row['reason']}" if row["reason"] else ""))
        click.echo(f"engines: {len(rows)}, damaged: {len(damaged)}")
    for row in damaged:
        click.echo(f"error: {row['cache']}/{row['name']} is damaged\n  try: edge-sr engines prune", err=True)
    if damaged:
        ctx.exit(INTEGRITY)


@engines.command(
    epilog=examples("edge-sr engines prune --dry-run", "edge-sr engines prune", "edge-sr engines prune --all")
)
@click.option("--all", "everything", is_flag=True, help="Remove every engine, the sound ones too.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
def prune(everything: bool, dry_run: bool) -> None:
    """Remove engines that are damaged or stale on this machine, and what killed builds left.

    Stale: for another device or backend version, or of an older build. Engines of a later edge-sr, of another user and
    of a backend that is not on this machine are kept, except with --all.
    """
    machines = machines_here()
    count, total = 0, 0
    for folder in filter(_can_prune, cache_folders()):
        with build_lock(folder, _tell_waiting):  # so no build is under way, and what looks left over is
            for path, n_bytes, reason in _prune(folder, machines, everything=everything, dry_run=dry_run):
                click.echo(f"{path}  {_mib(n_bytes)}\n  {reason}")
                count, total = count + 1, total + n_bytes
    click.echo(f"{'would remove' if dry_run else 'removed'} {count}, {_mib(total)}")


def _can_prune(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    if not os.access(folder, os.W_OK | os.X_OK):
        click.echo(f"{folder}: cannot be written, so nothing is removed there", err=True)
        return False
    try:
        check_folder(folder)
    except EnvironmentFault as error:  # a chmod may save what is in there
        click.echo(f"nothing is removed from {error}", err=True)
        return False
    return True


def _prune(
    folder: Path, machines: dict[str, Machine], *, everything: bool, dry_run: bool
) -> Iterator[tuple[Path, int, str]]:
    """(path, bytes, reason) of everything that goes, each when it is gone."""
    left = [(path, folder_bytes(path), "left by a build that was killed") for path in leftovers(folder)]
    if not dry_run:
        sweep(folder)
    yield from left
    for each in list(entries(folder)):
        state = standing(each, machines)
        if everything or state.status in REMOVED:
            n_bytes = folder_bytes(each.folder)
            if not dry_run:
                remove(each)
            yield each.folder, n_bytes, f"{state.status}: {state.reason}" if state.reason else state.status


def _tell_waiting(pid: int) -> None:
    click.echo(f"waiting for process {pid or '(unknown)'}, which builds into this cache", err=True)


def _everything() -> list[Entry | Damaged]:
    return [each for folder in cache_folders() for each in entries(folder)]


def _used(found: list[Entry | Damaged], machines: dict[str, Machine]) -> set[Path]:
    """Folders of the entries that ``best`` picks, one a chain and backend."""
    chains = {each.key.chain_sha256 for each in found if isinstance(each, Entry)}
    picked = (best(chain, machine) for chain in sorted(chains) for machine in machines.values())
    return {entry.folder for entry in picked if entry is not None}


def _row(each: Entry | Damaged, machines: dict[str, Machine]) -> dict[str, object]:
    """One engine as JSON; what a damaged one cannot tell is left out."""
    state = standing(each, machines)
    row: dict[str, object] = {"name": each.name, "cache": str(each.folder.parent)}
    row |= {"status": state.status, "reason": state.reason, "bytes": folder_bytes(each.folder)}
    return row | each.manifest.to_json() if isinstance(each, Entry) else row


def _print_row(row: Mapping[str, object]) -> None:
    """Two lines at most: what it is, and what keeps it from being used."""
    mark = "*" if row["used"] else " "
    text = f"{mark} {row['name']:<52} {_mib(row['bytes']):>10}"
    timings = row.get("timings")
    if isinstance(timings, Mapping):
        simulated = ", simulated" if row["simulated"] else ""
        text += f"  {row['precision']}, {timings['speedup']:.2f} times as fast as fp32{simulated}"
    click.echo(text if row["status"] == "sound" else f"{text}\n    {row['status']}: {row['reason']}")


def _mib(n_bytes: object) -> str:
    assert isinstance(n_bytes, int)
    return f"{n_bytes / 2**20:.1f} MiB"


def _print_json(document: Mapping[str, object]) -> None:
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **document}, indent=2))
