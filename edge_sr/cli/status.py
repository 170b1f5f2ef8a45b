"""``edge-sr status``: ask a running service how it is."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from edge_sr.cli.exit_codes import DONE, ENVIRONMENT, SOME_INPUTS_FAILED
from edge_sr.cli.lazy_group import examples
from edge_sr.cli.watch import DEFAULT_SPOOL
from edge_sr.errors import EdgeSRError, EnvironmentFault

SCHEMA_VERSION = 1
RUNTIME = Path("/run/edge-sr")  # RuntimeDirectory= of systemd/edge-sr.service
NOT_READY = SOME_INPUTS_FAILED


@click.command(
    epilog=examples(
        "edge-sr status                              of the service that systemd runs",
        "edge-sr status /srv/x4                      of the one that serves this spool",
        "edge-sr status --json | jq .queue",
        "edge-sr status --quiet && echo ready",
    )
)
@click.argument("spool", type=click.Path(path_type=Path), default=DEFAULT_SPOOL, envvar="EDGE_SR_SPOOL")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--quiet", is_flag=True, help="Nothing but the exit code.")
@click.pass_context
def status(ctx: click.Context, spool: Path, as_json: bool, quiet: bool) -> None:
    """Ask the service of SPOOL how it is: what it runs, what waits, what came out, and why it is not ready.

    Exits 0 where it is ready, 1 where it runs and is not ready, 3 where none runs there or it does not answer. SPOOL is
    EDGE_SR_SPOOL, else /var/spool/edge-sr. Nothing of it is about any one picture.
    """
    document, trouble = _asked(spool)
    if document is not None:
        lines = list(told(document))
    else:
        document = {"schema_version": SCHEMA_VERSION, "live": False, "ready": False, "reason": "not-running"}
        lines = [f"not running: nobody serves {spool}", "  try: edge-sr watch"]
        if trouble is not None:
            document |= {"reason": "no-answer", "error": str(trouble)}
            lines = [str(trouble)]
    if as_json:
        click.echo(json.dumps(document, indent=2))
    elif not quiet:
        click.echo("\n".join(lines))
    ctx.exit(ENVIRONMENT if not document["live"] else DONE if document["ready"] else NOT_READY)


def _asked(spool: Path) -> tuple[dict[str, Any] | None, EdgeSRError | None]:
    """The document of the spool's service; without one, what kept it from being asked."""
    from edge_sr.service.status import ask

    trouble: EdgeSRError | None = None
    for path, is_its_own in _sockets(spool):
        try:
            document = ask(path)
        except EnvironmentFault as fault:
            trouble = trouble or fault
            continue
        if document is not None and (is_its_own or document.get("spool") == str(spool.resolve())):
            return document, None
    return None, trouble


def _sockets(spool: Path) -> Iterator[tuple[Path, bool]]:
    """Where a service may listen, and whether one there can only be this spool's."""
    from edge_sr.service.status import SOCKET_NAME

    for folder in dict.fromkeys((os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0], str(RUNTIME))):
        if folder:
            yield Path(folder) / SOCKET_NAME, False
    yield spool / "state" / SOCKET_NAME, True


def told(document: Mapping[str, Any]) -> Iterator[str]:
    """The document for people."""
    from edge_sr.service.report import REASONS

    if document["ready"]:
        yield "ready"
    else:
        reason, stage = str(document["reason"]), document.get("stalled_stage")
        yield f"not ready: {REASONS.get(reason, reason)}{f' ({stage})' if stage else ''}"
    yield from (f"  {name:<12}{text}" for name, text in _rows(document) if text)


def _rows(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    work, disk = document["work"], document["disk"]
    yield "service", f"edge-sr {document['version']}, process {document['pid']}, up {span(document['uptime_s'])}"
    yield "spool", str(document["spool"])
    yield "model", ", ".join(str(work[name]) for name in ("model", "precision", "backend") if work.get(name))
    yield "engine", str(work.get("engine") or ("the bundle's own networks" if work else ""))
    for passed_over in work.get("instead_of") or ():
        yield "instead of", str(passed_over)
    yield "queue", _queue(document["queue"])
    yield from _jobs(document["jobs"])
    last_done = document["last_done"]
    if last_done is not None:
        now = document["start_time"] + document["uptime_s"]
        yield "last result", f"{span(max(0.0, now - last_done))} ago"
    yield from _phases(document["last"])
    free = disk["free_bytes"]
    yield "disk", "" if free is None else f"{free / 1e9:.1f} GB free{', full' if disk['full'] else ''}"
    yield from _device(document["device"])


def _queue(queue: Mapping[str, Any]) -> str:
    parts = [f"{queue['waiting']} waiting"]
    if queue["oldest_s"] is not None and queue["waiting"]:
        parts.append(f"the oldest for {span(queue['oldest_s'])}")
    parts.append(f"{queue['in_stages']} at work")
    parts += [f"{queue[name]} {word}" for name, word in (("retrying", "to be tried again"),) if queue[name]]
    return ", ".join(parts + ([f"{queue['ignored']} ignored"] if queue["ignored"] else []))


def _jobs(jobs: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield "jobs", f"{jobs['done']} done, {jobs['quarantined']} quarantined since the start"
    for row in jobs["by_reason"]:
        if row["reason"]:
            yield "", f"{row['count']:>6}  {row['result']}: {row['reason']}"


def _phases(last: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if last["count"]:
        yield "last times", f"of {last['count']} results, p50 and p95 in ms"
        for name, ms in last["phases_ms"].items():
            yield "", f"{ms['p50']:>9.1f} {ms['p95']:>9.1f}  {name}"


def _device(device: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    degrees = device["temperatures_c"]
    yield "temperature", ", ".join(f"{name} {value:.0f} C" for name, value in degrees.items())
    power_w, mode = device["power_w"], device["power_mode"]
    yield "power", "" if power_w is None else f"{power_w:.1f} W ({device['meter']})"
    yield "power mode", mode or ""
    if device["throttling"] is not None:
        yield "throttling", ", ".join(device["throttling"]) or "none"


def span(seconds: float) -> str:
    """4 s, 12 min, 3 h 20 min, 5 days."""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if hours < 2:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} days"
