"""``edge-sr calibrate``: observe a bundle's activations while its sampler runs, and write the table of their ranges.

It stands here and not in ``calibration``, which knows neither how a graph is composed nor where Q/DQ pairs go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from build_engines.chain_graphs import float_graphs
from build_engines.check.pictures import truth_pictures
from build_engines.ranges.calibrated import calibrated
from build_engines.ranges.ship import STEPS, ship_tables
from calibration.choose import AUTO, METHOD_CHOICES, Choice
from calibration.images import calibration_images
from calibration.plot import ranges_over_steps
from calibration.table import CalibrationTable
from edge_sr.artifacts.bundle import Bundle, bundle_folder
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.manifest import SAMPLERS
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import UsageError
from edge_sr.image.atomic import write_atomically

PHANTOMS, PICTURES = 64, 256


@click.command(
    epilog=examples(
        "edge-sr calibrate -o table.json                            on phantoms",
        "edge-sr calibrate --steps 4 --images scans -o four.json    and on tiles of your LR pictures",
        "edge-sr calibrate --images pairs/train/LR_64 --phantoms 0 -o table.json --plot ranges.svg",
        "edge-sr calibrate my-bundle --ship --images pairs/train/LR_64 --truth pairs/validation/HR_256",
    )
)
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="The table, a JSON file.")
@click.option("--ship", is_flag=True, help=f"Put tables for {', '.join(map(str, STEPS))} steps into BUNDLE itself.")
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="Of --ship: HR pictures, neither of the training nor of the test, to hold INT8 against.",
)
@click.option("--steps", type=click.IntRange(min=1), help="Denoising steps.  [default: the bundle's]")
@click.option("--sampler", type=click.Choice(SAMPLERS), help="[default: the bundle's]")
@click.option("--images", type=click.Path(path_type=Path), help="Folder of LR pictures, with its subfolders.")
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    default=PICTURES,
    show_default=True,
    help="Tiles taken of --images: dark, bright, collimated ones and such with markers, the others at random.",
)
@click.option("--phantoms", type=click.IntRange(0, 10_000), default=PHANTOMS, show_default=True, help="Synthetic ones.")
@click.option(
    "--method",
    type=click.Choice(METHOD_CHOICES),
    default=AUTO,
    show_default=True,
    help="How a range is found; auto takes for each tensor the method of the least error.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of what is taken at random.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.svg", help="Also draw the ranges over the steps."
)
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: all cores]")
@click.option("--overwrite", is_flag=True, help="Replace files that exist.")
def calibrate(
    bundle: Path | None,
    out: Path | None,
    ship: bool,
    truth: Path | None,
    steps: int | None,
    sampler: str | None,
    images: Path | None,
    count: int,
    phantoms: int,
    method: str,
    seed: int,
    plot: Path | None,
    threads: int | None,
    overwrite: bool,
) -> None:
    """Observe the activations of BUNDLE (the one that ships, if none is named) and write the table of their ranges.

    The whole chain runs at fidelity 1, 0.5 and 0, so that every step has ranges of its own. Pictures that test or
    choose a model must not be among the images.
    """
    _check_choice(out=out, ship=ship, truth=truth, others=(steps, sampler, plot))
    for path in filter(None, (out, plot)):
        _refuse_taken(path, overwrite=overwrite)
    opened = Bundle.open(bundle_folder(bundle))
    pictures = calibration_images(
        images,
        phantoms=phantoms,
        count=count,
        tile=opened.manifest.input.tile,
        scale=opened.manifest.scale,
        channels=opened.manifest.input.channels,
        seed=seed,
        skipped=lambda fault: click.echo(f"skipped: {fault}", err=True),
    )
    if out is None:
        hr = truth_pictures(truth, opened.manifest) if truth else None
        shipped = ship_tables(opened, pictures, truth=hr, method=method, threads=threads, tell=click.echo)
        click.echo(shipped.folder)
        return
    chain = chain_of(opened, sampler=sampler, steps=steps)
    table = calibrated(chain, float_graphs(chain), pictures, method=method, threads=threads)
    table.write(out, overwrite=overwrite)
    if plot:
        write_atomically(plot, ranges_over_steps(table).encode(), overwrite=overwrite)
    for line in _summary(table):
        click.echo(line)
    for path in filter(None, (out, plot)):
        click.echo(path)


def _check_choice(*, out: Path | None, ship: bool, truth: Path | None, others: tuple[object, ...]) -> None:
    """A table goes to a file or into the bundle."""
    if ship == (out is not None):
        raise UsageError("where to put the table", expected="either -o FILE or --ship")
    if ship and any(other is not None for other in others):
        raise UsageError(
            "ships tables for the bundle's own sampler", where="--ship", hint="leave --steps, --sampler and --plot out"
        )
    if truth and not ship:
        raise UsageError(
            "is for tables that ship", where="--truth", hint="edge-sr build --calibration TABLE --truth FOLDER"
        )


def _refuse_taken(path: Path, *, overwrite: bool) -> None:
    """Now rather than after minutes of work."""
    if path.is_dir():
        raise UsageError("is a folder", where=path, expected="a file name")
    if path.exists() and not overwrite:
        raise UsageError("the target exists already", where=path, hint="--overwrite")
    if not path.parent.is_dir():
        raise UsageError("there is no such folder", where=path.parent, hint=f"mkdir -p {path.parent}")


def _summary(table: CalibrationTable) -> Iterator[str]:
    origin = table.origin
    fidelities = ", ".join(f"{fidelity:g}" for fidelity in origin.fidelities)
    steps = f"{origin.steps} step{'s' if origin.steps > 1 else ''}"
    yield f"{origin.model}, {origin.sampler}, {steps}: {len(table.tensors)} tensors"
    yield f"observed on {origin.images} pictures at fidelity {fidelities}"
    yield _kind("asymmetric", {name: each.asymmetric for name, each in table.tensors.items()})
    yield _kind("symmetric ", {name: each.symmetric for name, each in table.tensors.items()})


def _kind(label: str, choices: Mapping[str, Choice]) -> str:
    methods = Counter(choice.method for choice in choices.values())
    worst = max(choices, key=lambda name: choices[name].error)
    chosen = ", ".join(f"{method} {number}" for method, number in methods.most_common())
    return f"{label}  {chosen}; largest error {100 * choices[worst].error:.2f} % in {worst}"
