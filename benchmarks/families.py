"""Every family in one table: quality on held-out patients, size, cost and time, in one run.

    python benchmarks/families.py runs/espcn runs/compact runs/rrdb runs/paper

measures the bundles that ship and the ones that are named. `make bench-families` trains those first, most of them
only briefly: how long is written beside every row, and a row that was trained for minutes says nothing of its family.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # Python puts this folder there; benchmarks itself is not installed

from edge_sr.artifacts.bundle import SHIPPED, bundle_folder  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from edge_sr.image.atomic import write_atomically  # noqa: E402
from host_training.evaluation.measure import evaluate  # noqa: E402
from host_training.evaluation.record import as_json, condensed  # noqa: E402
from host_training.evaluation.request import request  # noqa: E402
from host_training.evaluation.trained_steps import trained_steps  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "families.json"
SETS = ("nih-test", "hannover")


def measured(words: Sequence[str], data: Path, *, limit: int | None = None) -> dict[str, Any]:
    """The record of an evaluation, without its curves, and beside each bundle how long it was trained."""
    wanted = request(words, data_dir=data, sets=SETS, scales=(256,), seeds=0, limit=limit)
    record = condensed(evaluate(wanted).record)
    for each in wanted.given:
        record["bundles"][each.key]["trained_steps"] = trained_steps(each.bundle)
    return record


@click.command()
@click.argument("bundles", nargs=-1)
@click.option("--data", type=click.Path(path_type=Path, exists=True), envvar="EDGE_SR_DATA", required=True)
@click.option("--limit", type=click.IntRange(1), help="Pictures a set, spread evenly.  [default: all]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULT, help="[default: benchmarks/results/families.json]"
)
def command(bundles: tuple[str, ...], data: Path, limit: int | None, out: Path) -> None:
    """Measure the bundles that ship and BUNDLES on the held-out patients."""
    shipped = [word for word in SHIPPED if bundle_folder(word).is_dir()]
    load_before = os.getloadavg()
    record = measured([*shipped, *bundles], data, limit=limit)
    record["conditions"]["load_average_before"] = [round(load, 2) for load in load_before]
    write_atomically(out, as_json(record).encode(), overwrite=True)
    click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
