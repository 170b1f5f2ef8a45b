"""``edge-sr requeue``: quarantined files back into incoming, for another try."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click

from edge_sr.cli.exit_codes import SOME_INPUTS_FAILED
from edge_sr.cli.lazy_group import examples
from edge_sr.cli.spool_option import spool_option
from edge_sr.errors import InputError, UsageError
from edge_sr.service.journal import Journal
from edge_sr.service.naming import escaped
from edge_sr.service.quarantine import Quarantined, Requeued, quarantined
from edge_sr.service.quarantine import requeue as put_back
from edge_sr.service.spool import Spool

SCHEMA_VERSION = 1
EXAMPLES = examples(
    "edge-sr requeue 3f2a90c1d5e4                one job, by its first 8 digits or more",
    "edge-sr requeue --reason decoder-timeout    every job of one reason",
    "edge-sr requeue --all",
)


@click.command(epilog=EXAMPLES)
@click.argument("jobs", metavar="[JOB]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every job in quarantine.")
@click.option("--reason", metavar="CODE", help="Every job of this reason, as `edge-sr spool ls` counts them.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@spool_option
@click.pass_context
def requeue(
    ctx: click.Context, jobs: Sequence[str], everything: bool, reason: str | None, as_json: bool, path: Path
) -> None:
    """Put quarantined files into incoming again, and remove their folders and reasons.

    The service may run meanwhile. A file whose name is taken in incoming gets the job's first digits into its name.
    The journal has a line for each. Exits 1 where a job could not be requeued; the others are.
    """
    if bool(jobs) + everything + (reason is not None) != 1:
        raise UsageError("nothing says what to requeue", expected="jobs, or --all, or --reason CODE")
    with Spool.open(path) as spool:
        if jobs:
            chosen, faults = _named(spool, jobs)
        else:
            chosen = [each for each in quarantined(spool) if everything or each.code == reason]
            faults = []
        done = [result for each in _oldest_first(chosen) if (result := _requeue(spool, each, faults)) is not None]
    _report(done, faults, as_json=as_json)
    if faults:
        ctx.exit(SOME_INPUTS_FAILED)


def _named(spool: Spool, jobs: Sequence[str]) -> tuple[list[Quarantined], list[InputError]]:
    """The jobs that begin so, and for each text that names none or several what is wrong with it."""
    there = list(quarantined(spool))
    chosen: dict[str, Quarantined] = {}
    faults = []
    for text in jobs:
        found = [each for each in there if each.job.startswith(text)] if len(text) >= 8 else []
        if len(found) == 1:
            chosen[found[0].job] = found[0]
        else:
            what = f"{len(found)} jobs in quarantine begin so" if found else "no such job in quarantine"
            expected = "its first 8 digits or more" if len(text) < 8 else ""
            faults.append(InputError(what, where=escaped(text), expected=expected, hint="edge-sr spool ls quarantine"))
    return list(chosen.values()), faults


def _oldest_first(chosen: Sequence[Quarantined]) -> list[Quarantined]:
    return sorted(chosen, key=lambda each: (each.since, each.job))


def _requeue(spool: Spool, each: Quarantined, faults: list[InputError]) -> Requeued | None:
    try:
        result = put_back(spool, each.job)
    except InputError as fault:
        faults.append(fault)
        return None
    if result.name is not None:
        Journal(spool).append(job=each.job, name=result.name, outcome="requeued", reason=each.code or None)
    return result


def _report(done: Sequence[Requeued], faults: Sequence[InputError], *, as_json: bool) -> None:
    if as_json:
        rows = [{"job": each.job, "name": each.name, "incoming_name": each.incoming_name} for each in done]
        failed = [{"job": fault.where, "what": fault.what} for fault in faults]
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, "requeued": rows, "failed": failed}, indent=2))
    else:
        for each in done:
            click.echo(f"{each.job}  {_said(each)}")
        click.echo(f"requeued {sum(each.incoming_name is not None for each in done)}")
    for fault in faults:
        click.echo(f"error: {fault}", err=True)


def _said(each: Requeued) -> str:
    if each.incoming_name is None:
        return "held no file any more; its folder is removed"
    name = escaped(each.incoming_name)
    return name if each.incoming_name == each.name else f"{name} (its own name was taken)"
