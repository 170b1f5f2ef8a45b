"""``edge-sr-host evaluate``: bundles and what they have to be compared with, on patients they have not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from edge_sr.cli.lazy_group import examples
from edge_sr.errors import EnvironmentFault, UsageError
from host_training.data.store import open_store
from host_training.evaluation.fitting import augmentation_sheet
from host_training.evaluation.measure import evaluate
from host_training.evaluation.pictures import SETS
from host_training.evaluation.record import as_json
from host_training.evaluation.request import request
from host_training.evaluation.tables import markdown_tables


@click.command(
    "evaluate",
    epilog=examples(
        "edge-sr-host evaluate --out evaluation",
        "edge-sr-host evaluate bundle default --set nih-test --set hannover --out evaluation",
        "edge-sr-host evaluate bundle bundle@ddim:4 --scale 256 --scale 512 --out evaluation",
        "edge-sr-host evaluate paper --set pairs-cubic --limit 8 --seeds 0 --out evaluation",
        "edge-sr-host evaluate bundle --limit 8 --seeds 2 --out trial --json | jq .sets",
    ),
)
@click.argument("bundles", nargs=-1)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="EDGE_SR_DATA",
    help="Folder with MANIFEST.csv and the pictures, or a prepared store. Also EDGE_SR_DATA.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    envvar="EDGE_SR_EVALUATE_SET",
    help=f"{', '.join(SETS)}, or a prepared store, of which the test split is measured; may be given several times.  "
    "[default: nih-test, or the test split of --data where that is a store]",
)
@click.option(
    "--scale",
    "scales",
    type=click.IntRange(min=1),
    multiple=True,
    help="Side of HR; LR is a quarter of it, above 256 in tiles; may be given several times.  "
    "[default: 256, and for the first bundle 512]",
)
@click.option(
    "--baselines",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder with regression.onnx and the first bundle's hr_encoder.onnx, written by `edge-sr-host export`.  "
    "[default: benchmarks/baselines, those of the default bundle]",
)
@click.option(
    "--hr-encoder",
    "hr_encoders",
    multiple=True,
    metavar="BUNDLE=FILE",
    help="HR encoder of another bundle, by the name it has in the tables; may be given several times.",
)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="Folder for the results.")
@click.option("--limit", type=click.IntRange(min=1), help="Pictures a set, spread evenly.  [default: all]")
@click.option(
    "--seeds", type=click.IntRange(min=0), default=8, show_default=True, help="Seeds of the spread; 0 leaves it out."
)
@click.option(
    "--lpips",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="ONNX file of LPIPS.  [default: lpips/lpips_squeeze_v0.1.onnx of the data, if it is there]",
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]")
@click.option(
    "--runs",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    multiple=True,
    help="Training folder whose curves the figures show; may be given several times.",
)
@click.option("--no-figures", is_flag=True, help="Numbers and panels only: no plots and no index page.")
@click.option(
    "--json", "json_wanted", is_flag=True, envvar="EDGE_SR_EVALUATE_JSON", help="Print metrics.json, not the tables."
)
def evaluate_command(
    bundles: tuple[str, ...],
    data: Path | None,
    sets: tuple[str, ...],
    scales: tuple[int, ...],
    baselines: Path | None,
    hr_encoders: tuple[str, ...],
    out: Path,
    limit: int | None,
    seeds: int,
    lpips: Path | None,
    threads: int | None,
    runs: tuple[Path, ...],
    no_figures: bool,
    json_wanted: bool,
) -> None:
    """Measure BUNDLES, side by side, against baselines on held-out patients.

    A bundle is a folder, `default`, or either with another sampler and number of steps, as bundle@ddim:4; without any
    the default one is measured.

    Writes metrics.json, per-image.csv, tables.md, panels, figures and index.html into --out, replacing older ones. The
    panels show the pictures of the data folder: mind their terms.
    """
    if seeds == 1:
        raise UsageError("one seed has no spread", where="--seeds", expected="2 or more, or 0 to leave it out")
    wanted = request(
        bundles,
        data_dir=data,
        sets=tuple(dict.fromkeys(sets)) or default_sets(data),
        baselines=baselines,
        hr_encoders=dict(map(_encoder, hr_encoders)),
        lpips=lpips,
        scales=scales or None,
        limit=limit,
        seeds=seeds,
        threads=threads,
    )
    write_figures = None if no_figures else figure_writer()
    out.mkdir(parents=True, exist_ok=True)
    evaluation = evaluate(wanted)
    evaluation.write(out)
    if write_figures is not None:
        folders = list(dict.fromkeys(candidate.bundle.folder for candidate in wanted.given))
        sheet = augmentation_sheet(wanted)
        write_figures(out, runs=runs, pictures=evaluation.pictures, sheet=sheet, bundles=folders)
        click.echo(f"{out / 'index.html'} shows it all", err=True)
    record = evaluation.record
    click.echo(as_json(record) if json_wanted else markdown_tables(record), nl=False)


def default_sets(data: Path | None) -> Sequence[str]:
    """The test pictures of the data folder, be it raw or prepared."""
    if data is None:
        raise UsageError("nothing to measure on", where="--data", hint="export EDGE_SR_DATA=FOLDER, or --set STORE")
    return ("nih-test",) if open_store(data) is None else (str(data),)


def figure_writer() -> Callable[..., None]:
    """Looked for before anything is measured; EnvironmentFault where its package is missing."""
    try:
        from host_training.figures import write_figures
    except ModuleNotFoundError as error:
        hint = 'pip install "edge-sr[host]", or --no-figures'
        raise EnvironmentFault(f"the figures need the package {error.name}", hint=hint) from error
    return write_figures


def _encoder(word: str) -> tuple[str, Path]:
    key, mark, file = word.partition("=")
    if not mark:
        raise UsageError("cannot be understood", where=f"--hr-encoder {word}", expected="BUNDLE=FILE")
    if not Path(file).is_file():
        raise UsageError(
            "no such file", where=file, expected="an ONNX file", hint="edge-sr-host export --baselines DIR"
        )
    return key, Path(file)
