"""``edge-sr calibrate``: observe a bundle's activations while its sampler runs, and write the table of their ranges.

It stands here and not in ``calibration``, which knows neither how a graph is composed nor where Q/DQ pairs go.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import click

from build_engines.chain_graphs import Graphs, activation_grid, float_graphs, observed_tensors, running
from build_engines.quantize import FLAVOURS
from calibration.choose import AUTO, METHOD_CHOICES, Choice, Observed, choose
from calibration.collect import FIDELITIES, Batch, Batches, collect, exposed
from calibration.images import CalibrationImages, calibration_images
from calibration.plot import ranges_over_steps
from calibration.table import CalibrationTable, Origin, TensorRanges
from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import Chain, chain_of
from edge_sr.artifacts.manifest import SAMPLERS
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import UsageError
from edge_sr.image.atomic import write_atomically

PHANTOMS, PICTURES = 64, 256


@click.command(
    epilog=examples(
        "edge-sr calibrate -o table.json                            on phantoms",
        "edge-sr calibrate --steps 4 --images scans -o four.json    and on tiles of your LR pictures",
        "edge-sr calibrate --images pairs/train/LR_64 --phantoms 0 -o table.json --plot ranges.svg",
    )
)
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The table, a JSON file.")
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
    out: Path,
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
    for path in filter(None, (out, plot)):
        _refuse_taken(path, overwrite=overwrite)
    opened = Bundle.open(bundle or default_bundle())
    chain = chain_of(opened, sampler=sampler, steps=steps)
    pictures = calibration_images(
        images,
        phantoms=phantoms,
        count=count,
        tile=opened.manifest.input.tile,
        scale=opened.manifest.scale,
        seed=seed,
        skipped=lambda fault: click.echo(f"skipped: {fault}", err=True),
    )
    table = calibrated(chain, float_graphs(chain), pictures, method=method, threads=threads)
    table.write(out, overwrite=overwrite)
    if plot:
        write_atomically(plot, ranges_over_steps(table).encode(), overwrite=overwrite)
    for line in _summary(table):
        click.echo(line)
    for path in filter(None, (out, plot)):
        click.echo(path)


def _refuse_taken(path: Path, *, overwrite: bool) -> None:
    """Now rather than after minutes of work."""
    if path.is_dir():
        raise UsageError("is a folder", where=path, expected="a file name")
    if path.exists() and not overwrite:
        raise UsageError("the target exists already", where=path, hint="--overwrite")
    if not path.parent.is_dir():
        raise UsageError("there is no such folder", where=path.parent, hint=f"mkdir -p {path.parent}")


def calibrated(
    chain: Chain, graphs: Graphs, pictures: CalibrationImages, *, method: str = AUTO, threads: int | None = None
) -> CalibrationTable:
    """The table of a chain and its float32 graphs; a bar on stderr where that is a terminal."""
    wanted = {role: observed_tensors(model) for role, model in graphs.items()}
    seen_through = {role: exposed(model, wanted[role]) for role, model in graphs.items()}
    with _progress(Batches(pictures.lr, pictures.noise_seeds)) as batches:
        observed = collect(
            lambda backend: running(chain, seen_through, backend),
            [name for names in wanted.values() for name in names],
            batches,
            # Not spinning: between two calls the histograms want the cores.
            backend=OnnxRuntime(threads, spinning=False),
        )
    manifest = chain.bundle.manifest
    origin = Origin(
        graph_sha256=chain.sha256,
        model=f"{manifest.name} {manifest.version}",
        sampler=chain.sampler,
        steps=chain.steps,
        images_sha256=pictures.sha256,
        images=len(pictures.lr),
        fidelities=FIDELITIES,
        method=method,
    )
    return CalibrationTable(origin, _chosen(observed, method))


def _chosen(observed: Mapping[str, Observed], method: str) -> dict[str, TensorRanges]:
    grids = {flavour.symmetric: activation_grid(flavour) for flavour in FLAVOURS.values()}
    return {
        name: TensorRanges.of(
            seen.whole,
            asymmetric=choose(seen, grids[False], method),
            symmetric=choose(seen, grids[True], method),
        )
        for name, seen in observed.items()
    }


@contextmanager
def _progress(batches: Batches) -> Iterator[Iterable[Batch]]:
    if sys.stderr.isatty():
        with click.progressbar(batches, length=len(batches), label="observing", file=sys.stderr) as bar:
            yield bar
    else:
        yield batches


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
