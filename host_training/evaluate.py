"""``edge-sr-host evaluate``: a bundle and what it has to be compared with, on patients it has not seen."""

from __future__ import annotations

import json
from pathlib import Path

import click

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.cli.lazy_group import examples
from host_training.evaluation.measure import BASELINES, evaluate
from host_training.evaluation.pictures import SETS
from host_training.evaluation.tables import markdown_tables
from host_training.options import data_option

__all__ = ["evaluate", "evaluate_command", "markdown_tables"]


@click.command(
    "evaluate",
    epilog=examples(
        "edge-sr-host evaluate --out evaluation",
        "edge-sr-host evaluate bundle --set nih-test --set hannover --out evaluation",
        "edge-sr-host evaluate bundle --limit 8 --seeds 2 --out trial --json | jq .sets",
    ),
)
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@data_option
@click.option(
    "--set",
    "sets",
    type=click.Choice(list(SETS)),
    multiple=True,
    envvar="EDGE_SR_EVALUATE_SET",
    default=("nih-test",),
    show_default=True,
    help="What to measure on; may be given several times.",
)
@click.option(
    "--baselines",
    type=click.Path(path_type=Path, file_okay=False),
    default=BASELINES,
    help="Folder with regression.onnx and hr_encoder.onnx, written by `edge-sr-host export`.  "
    "[default: benchmarks/baselines]",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results.")
@click.option("--limit", type=click.IntRange(min=1), help="Pictures a set, spread evenly.  [default: all]")
@click.option("--seeds", type=click.IntRange(min=2), default=8, show_default=True, help="Seeds of the spread.")
@click.option(
    "--lpips",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="ONNX file of LPIPS.  [default: lpips/lpips_squeeze_v0.1.onnx of the data, if it is there]",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]")
@click.option(
    "--json", "as_json", is_flag=True, envvar="EDGE_SR_EVALUATE_JSON", help="Print metrics.json instead of the tables."
)
def evaluate_command(
    bundle: Path | None,
    data: Path,
    sets: tuple[str, ...],
    baselines: Path,
    out: Path,
    limit: int | None,
    seeds: int,
    lpips: Path | None,
    threads: int | None,
    as_json: bool,
) -> None:
    """Measure BUNDLE (the default one if none is named) against baselines on held-out patients.

    Writes metrics.json, per-image.csv, tables.md and one panels-SET.png a set into --out, replacing older ones. The
    panels show the pictures of the data folder: mind their terms.
    """
    out.mkdir(parents=True, exist_ok=True)
    evaluation = evaluate(
        Bundle.open(bundle or default_bundle()),
        data_dir=data,
        sets=tuple(dict.fromkeys(sets)),
        baselines=baselines,
        lpips_file=lpips,
        limit=limit,
        seeds=seeds,
        threads=threads,
    )
    evaluation.write(out)
    click.echo(json.dumps(evaluation.record, indent=1) if as_json else markdown_tables(evaluation.record), nl=as_json)
