"""``edge-sr-host multiscale``: a folder of pictures, each at five sizes, to train from."""

from __future__ import annotations

from pathlib import Path

import click
from tqdm import tqdm

from edge_sr.cli.exit_codes import SOME_INPUTS_FAILED
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import InputError, UsageError
from host_training.data.multiscale import Outcome, Task, clashes, write_sizes
from host_training.data.natural import pictures_below
from host_training.prepare.parallel import cores, in_parallel


@click.command(
    "multiscale",
    epilog=examples(
        "edge-sr-host multiscale DIV2K/DIV2K_train_HR -o sizes/DIV2K_train_HR",
        "edge-sr-host multiscale photographs -o sizes --least 160",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="Where the sizes go.")
@click.option(
    "--least",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="Pixels of the short side below which a size, or a picture, is left out: the crop of the training.",
)
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: all cores]")
@click.pass_context
def multiscale_command(ctx: click.Context, folder: Path, out: Path, least: int, jobs: int | None) -> None:
    """Write every picture below FOLDER at five sizes: itself, 3/4, 1/2, 1/3, and 400 pixels on the short side.

    By Lanczos' filter, as Real-ESRGAN's training pictures are made. A file that exists is never overwritten, so a run
    that was stopped goes on when it is called again. What cannot be read is left out and named, with the reason.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"lies within {folder}", where=out, expected="a folder beside it")
    paths = pictures_below(folder)
    if not paths:
        raise InputError("holds no picture", where=folder, expected="PNG, JPEG, BMP or TIFF")
    left = clashes(paths)
    tasks = [Task(path, out / path.relative_to(folder).parent, least) for path in paths if path not in left]
    work = in_parallel(write_sizes, tasks, jobs=jobs or cores())
    outcomes = list(tqdm(work, desc="writing", total=len(tasks), unit="picture", disable=None))
    outcomes += [Outcome(path, reason=reason) for path, reason in left.items()]
    click.echo(report(out, outcomes))
    if any(outcome.reason for outcome in outcomes):
        ctx.exit(SOME_INPUTS_FAILED)


def report(out: Path, outcomes: list[Outcome]) -> str:
    """How many files, and which pictures were left out."""
    bad = sorted((outcome for outcome in outcomes if outcome.reason), key=lambda outcome: outcome.path)
    written, there = sum(outcome.written for outcome in outcomes), sum(outcome.there for outcome in outcomes)
    kept = f", {there} were there" if there else ""
    lines = [f"{out}: {written} files of {len(outcomes) - len(bad)} pictures{kept}"]
    if bad:
        lines += [f"left out: {len(bad)} pictures", *(f"  {outcome.path}: {outcome.reason}" for outcome in bad)]
    return "\n".join(lines)
