"""``edge-sr spool``: what lies in the folders of the service, whether it is sound, and which file a job was."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from edge_sr.cli.exit_codes import INTEGRITY
from edge_sr.cli.lazy_group import examples
from edge_sr.cli.spool_option import spool_option
from edge_sr.errors import InputError
from edge_sr.service import journal, listing
from edge_sr.service.naming import escaped
from edge_sr.service.spool import Spool
from edge_sr.service.verify import Finding
from edge_sr.service.verify import verify as verify_spool

SCHEMA_VERSION = 1
SHOWN_DIGITS = 12  # of a job or a key: enough to name it to the other commands

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@click.group(
    epilog=examples(
        "edge-sr spool ls", "edge-sr spool ls quarantine", "edge-sr spool verify", "edge-sr spool find 3f2a90c1"
    )
)
def spool() -> None:
    """List and verify the folders of `edge-sr watch`, and find the file of a job."""


@spool.command(
    epilog=examples("edge-sr spool ls", "edge-sr spool ls quarantine", "edge-sr spool ls done --json | jq '.rows'")
)
@click.argument("folder", required=False, type=click.Choice(listing.LISTED))
@spool_option
@json_option
def ls(folder: str | None, path: Path, as_json: bool) -> None:
    """Say how much is in each folder, or with FOLDER's name list what is in that one, the oldest first."""
    with Spool.open(path) as opened:
        if folder is None:
            _show_counts(opened, as_json=as_json)
        else:
            _show_rows(listing.rows(opened, folder), folder, as_json=as_json)


def _show_counts(opened: Spool, *, as_json: bool) -> None:
    counts, pid = listing.counts(opened), opened.holder()
    if as_json:
        _print_json({"spool": str(opened.path), "service_pid": pid, "folders": counts})
        return
    click.echo(f"{opened.path}, " + ("not served now" if pid is None else f"served by process {pid or '(unknown)'}"))
    for folder, values in counts.items():
        click.echo(f"{folder:<11} " + ", ".join(filter(None, (_figure(key, value) for key, value in values.items()))))


def _figure(key: str, value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{each} {count}" for each, count in value.items())
    if key == "oldest_s":
        return "" if value is None else f"oldest {_age(value)}"
    return f"{value} {key}"


def _show_rows(rows: Sequence[listing.Row], folder: str, *, as_json: bool) -> None:
    if as_json:
        _print_json({"folder": folder, "rows": rows})
        return
    for row in rows:
        job = str(row["job"])[:SHOWN_DIGITS] if "job" in row else ""
        name = "(no file)" if row["name"] is None else escaped(str(row["name"]))
        click.echo("  ".join(filter(None, (job, f"{_age(row['age_s']):>8}", _remark(row), name))))


def _remark(row: listing.Row) -> str:
    """What a line says beside job, age and name."""
    if "reason" in row:
        return f"{row['reason'] or '(no reason)'}: {escaped(str(row['what'] or ''))} "
    if "attempts" in row:
        return f"attempts that died: {row['attempts']}" if row["attempts"] else ""
    return f"{row['bytes']:>10}" if row["kind"] == "file" else f"{row['kind']:>10}"


@spool.command(epilog=examples("edge-sr spool verify", "edge-sr spool verify --json"))
@spool_option
@json_option
@click.pass_context
def verify(ctx: click.Context, path: Path, as_json: bool) -> None:
    """Check every picture with its sidecar, every quarantined job, and that nothing lies in work that is nobody's.

    Exits 5 where something is damaged. What the service mends by itself is told and does not count.
    """
    with Spool.open(path) as opened:
        found = verify_spool(opened)
    damaged = [each for each in found if each.damaged]
    if as_json:
        _print_json({"ok": not damaged, "findings": [_finding(each) for each in found]})
    else:
        for each in found:
            click.echo(f"{'damaged' if each.damaged else 'note':<8} {each.folder}/{escaped(each.name)}  {each.what}")
        click.echo(f"damaged: {len(damaged)}, notes: {len(found) - len(damaged)}")
    if damaged:
        ctx.exit(INTEGRITY)


def _finding(each: Finding) -> dict[str, object]:
    return {"folder": each.folder, "name": each.name, "what": each.what, "damaged": each.damaged}


@spool.command(
    epilog=examples("edge-sr spool find 3f2a90c1", "edge-sr spool find 3f2a90c1 --json | jq -r .lines[].name")
)
@click.argument("text", metavar="JOB|KEY")
@spool_option
@json_option
def find(text: str, path: Path, as_json: bool) -> None:
    """Say which file a job was, or every job of a job key: its first 8 digits are enough.

    Logs and sidecars name jobs only. The names stand in the journal, in the folder state, for the service's user.
    """
    with Spool.open(path) as opened:
        lines = [*journal.find(opened, text), *journal.at_hand(opened, text)]
    if not lines:
        raise InputError("no such job in the journal", where=text, hint="edge-sr spool ls quarantine")
    if as_json:
        _print_json({"lines": lines})
        return
    for line in lines:
        _print_line(line)


def _print_line(line: Mapping[str, object]) -> None:
    said = escaped(str(line.get("outcome")))
    if line.get("reason"):
        said += f" ({escaped(str(line['reason']))})"
    output = f" -> {escaped(str(line['output']))}" if line.get("output") else ""
    click.echo(f"{escaped(str(line.get('time') or '')):<29}  {escaped(str(line.get('job')))}  {said}")
    click.echo(f"  {escaped(str(line.get('name')))}{output}")


def _age(seconds: object) -> str:
    """Two figures at most: 45s, 12m, 3h, 9d."""
    value = float(str(seconds))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if value >= 2 * size:
            return f"{value / size:.0f}{unit}"
    return f"{value:.0f}s"


def _print_json(document: Mapping[str, object]) -> None:
    click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **document}, indent=2))
