"""What became of the inputs of a run, told to a person or to a program."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_sr.errors import EdgeSRError, InputError, UsageError
from edge_sr.timing import Phases

if TYPE_CHECKING:
    from edge_sr.pipeline import SRResult

SCHEMA_VERSION = 1
STATUSES = ("done", "planned", "failed", "skipped", "not tried")


@dataclass
class Outcome:
    """What became of one input; status is one of STATUSES."""

    source: Path
    status: str
    outputs: tuple[Path, ...] = ()
    error: EdgeSRError | None = None
    note: str = ""
    result: SRResult | None = None
    phases: Phases = field(default_factory=Phases)

    def to_json(self) -> dict[str, object]:
        return {
            "input": str(self.source),
            "status": self.status,
            "outputs": [str(path) for path in self.outputs],
            "error": None if self.error is None else str(self.error),
            "note": self.note,
            "provenance": None if self.result is None else dict(self.result.provenance),
            "phases_ms": {name: round(ms, 3) for name, ms in self.phases.ms.items()},
        }


def report(outcomes: list[Outcome], *, as_json: bool) -> bool:
    """Print everything; True where an input failed. What is worse than an unfit input is raised at the end."""
    if as_json:
        counts = {status: sum(outcome.status == status for outcome in outcomes) for status in STATUSES}
        files = [outcome.to_json() for outcome in outcomes]
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, "counts": counts, "files": files}, indent=2))
    elif len(outcomes) == 1 and outcomes[0].status == "done":
        _print_one(outcomes[0])
    else:
        _print_many(outcomes)
    errors = [outcome.error for outcome in outcomes if outcome.error is not None]
    worse = next((error for error in errors if not isinstance(error, (InputError, UsageError))), None)
    for error in errors:
        if error is not worse:
            click.echo(f"error: {error}", err=True)
    if worse is not None:
        raise worse
    return bool(errors)


def _print_one(outcome: Outcome) -> None:
    assert outcome.result is not None
    height, width = outcome.result.pixels.shape[:2]
    click.echo(f"{_shown(outcome.outputs[0])}  {width}x{height}")
    for path in outcome.outputs[1:]:
        click.echo(_shown(path))
    if outcome.note:
        click.echo(f"note: {outcome.note}")
    click.echo("\nphase          ms")
    for name, ms in [*outcome.phases.ms.items(), ("total", outcome.phases.total_ms)]:
        click.echo(f"{name:<8}{ms:>9.2f}")
    for line in _made_with(outcome.result):
        click.echo(f"\n{line}")
    rmse = outcome.result.provenance["lr_rmse"]
    click.echo(f"\nLR consistency: RMSE {rmse} of 255 grey levels between the input and the mean of the result")
    click.echo(str(outcome.result.provenance["notice"]))


def _print_many(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.status == "planned":
            click.echo(f"{_shown(outcome.source)} -> {', '.join(map(_shown, outcome.outputs))}")
        elif outcome.status == "skipped":
            click.echo(f"skipped {_shown(outcome.source)}: {outcome.note}")
    counts = {status: sum(outcome.status == status for outcome in outcomes) for status in STATUSES}
    click.echo(", ".join(f"{count} {status}" for status, count in counts.items() if count))
    first = next((outcome.result for outcome in outcomes if outcome.result is not None), None)
    for line in _made_with(first) if first is not None else ():
        click.echo(line)


def _made_with(result: SRResult) -> Iterator[str]:
    """Which engine ran, or how to get one; nothing for a model that has none."""
    provenance = result.provenance
    if provenance.get("engine"):
        yield f"engine: {provenance['precision']}, {provenance['engine']}"
    elif str(provenance.get("backend")).endswith("CUDA"):  # for which there are none
        yield f"the bundle's own networks, in {provenance['precision']}, by {provenance['backend']}"
    elif "engine" in provenance:
        yield f"no engine: the bundle's own networks, in {provenance['precision']}; try: edge-sr build"


def _shown(path: Path) -> str:
    """A name whose bytes are no UTF-8 cannot be printed as it is."""
    return click.format_filename(path)
