"""``edge-sr run``: super-resolve files, folders and patterns."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_sr.cli.exit_codes import SOME_INPUTS_FAILED
from edge_sr.cli.inputs import Job, RunPlan, plan_run
from edge_sr.cli.lazy_group import examples
from edge_sr.cli.model_options import COLOUR, MAX_PIXELS, THREADS, model_options
from edge_sr.cli.run_log import LogPicture, run_log
from edge_sr.cli.run_report import Outcome, report
from edge_sr.errors import EdgeSRError, EnvironmentFault, IntegrityError
from edge_sr.timing import Phases

if TYPE_CHECKING:
    from edge_sr.image.radiograph import Colour, Radiograph
    from edge_sr.pipeline import SRResult


EXAMPLES = examples(
    "edge-sr run chest.png                       makes chest_x4.png and chest_x4.json beside it",
    "edge-sr run scans -o sharp --compare        a folder with its subfolders, and before/after pictures",
    "edge-sr run 'ward*/*.tif' -o sharp --json   a pattern; a report for programs on stdout",
    "edge-sr run chest.png --fidelity 0 --seed 7 --sampler ddim --steps 4",
    "edge-sr run chest.png --samples 8           the mean of 8 samples, and where they differ",
)


@click.command(epilog=EXAMPLES)
@click.argument("inputs", metavar="IN...", nargs=-1, required=True)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder for results, or a .png name for one file.")
@model_options
@click.option(
    "--samples",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    help="With more than one: their mean, from as many seeds, and <stem>_x4_spread.png, their deviation by pixel. "
    "Fidelity is then 0 unless given.",
)
@COLOUR
@click.option("--compare", is_flag=True, help="Also write <stem>_x4_compare.png: LR, bicubic and SR side by side.")
@click.option(
    "--compare-as",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The same for one file, under a name of yours.",
)
@THREADS
@MAX_PIXELS
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option("--json", "as_json", is_flag=True, envvar="EDGE_SR_RUN_JSON", help="One JSON document on stdout.")
@click.option(
    "--log-file",
    type=click.Path(path_type=Path),
    metavar="FILE.jsonl",
    help="Append a record a picture: phases, power and energy where a meter tells, power mode, throttling.",
)
@click.option("--dry-run", is_flag=True, help="List what would be written, and stop.")
@click.pass_context
def run(
    ctx: click.Context,
    inputs: tuple[str, ...],
    out: Path | None,
    model: str,
    precision: str,
    backend: str | None,
    provider: str | None,
    steps: int | None,
    sampler: str | None,
    seed: int | None,
    fidelity: float | None,
    samples: int,
    colour: Colour,
    compare: bool,
    compare_as: Path | None,
    threads: int | None,
    max_pixels: int,
    overwrite: bool,
    as_json: bool,
    log_file: Path | None,
    dry_run: bool,
) -> None:
    """Super-resolve radiographs to four times their width and height.

    IN is a PNG, TIFF or JPEG file, a folder (with its subfolders) or a quoted pattern. A result is a PNG of the input's
    bit depth called <stem>_x4.png with its provenance inside and in <stem>_x4.json. It is written beside a file, for a
    folder into <folder>_x4, or under -o. Not for diagnostic use.
    """
    from edge_sr.models import scale_of

    names = model.split(",")
    plan = plan_run(
        inputs,
        out,
        compare=compare,
        compare_as=compare_as,
        spread=samples > 1,
        overwrite=overwrite,
        scale=scale_of(names),
    )
    outcomes = _planned_outcomes(plan)
    if dry_run:
        outcomes += [Outcome(job.source, "planned", job.outputs) for job in plan.jobs]
    elif plan.jobs:
        from edge_sr.models import load_first
        from edge_sr.pipeline import Workspace, chosen_fidelity, upscale_file

        log = ctx.with_resource(run_log(log_file, note=_warn))
        opening = Phases()
        with opening("open"):
            loaded = load_first(
                names,
                sampler=sampler,
                steps=steps,
                threads=threads,
                precision=precision,
                backend=backend,
                provider=provider,
                note=_warn,
            )
        with loaded:
            chosen_fidelity(loaded, fidelity, samples=samples)  # a fault of the command line, not of each file
            work = partial(
                upscale_file,
                model=loaded,
                seed=seed,
                fidelity=fidelity,
                samples=samples,
                colour=colour,
                max_pixels=max_pixels,
                overwrite=overwrite,
                workspace=Workspace(),
            )
            outcomes += _work_through(plan.jobs, work, opening, overwrite=overwrite, log=log)
    if report(outcomes, as_json=as_json):
        ctx.exit(SOME_INPUTS_FAILED)


def _warn(line: str) -> None:
    click.echo(f"warning: {line}", err=True)


def _planned_outcomes(plan: RunPlan) -> list[Outcome]:
    faults = [Outcome(path, "failed", error=error) for path, error in plan.faults]
    return faults + [Outcome(path, "skipped", note=reason) for path, reason in plan.skipped]


def _work_through(
    jobs: list[Job],
    work: Callable[..., tuple[Radiograph, SRResult]],
    opening: Phases,
    *,
    overwrite: bool,
    log: LogPicture,
) -> list[Outcome]:
    """One bad file never stops the rest; a fault of the machine (full disk) does, as it would fail all of them.

    opening: the time it took to open the model, told with the first file.
    """
    outcomes: list[Outcome] = []
    with _progress(jobs) as pending:
        for job in pending:
            phases = Phases() if outcomes else opening
            start_s = time.perf_counter()
            outcomes.append(_work_on(job, work, phases, overwrite=overwrite))
            log(outcomes[-1], start_s, time.perf_counter())
            if isinstance(outcomes[-1].error, EnvironmentFault):
                break
    return outcomes + [Outcome(job.source, "not tried") for job in jobs[len(outcomes) :]]


def _work_on(job: Job, work: Callable[..., tuple[Radiograph, SRResult]], phases: Phases, *, overwrite: bool) -> Outcome:
    from edge_sr.pipeline import write_comparison, write_spread

    try:
        radiograph, result = work(job.source, job.target, phases=phases)
        if job.compare is not None:
            with phases("compare"):
                write_comparison(job.compare, radiograph, result, overwrite=overwrite)
        if job.spread is not None:
            with phases("spread"):
                write_spread(job.spread, result, overwrite=overwrite)
    except IntegrityError:
        raise  # it is about the bundle and not about this file
    except EdgeSRError as error:
        return Outcome(job.source, "failed", error=error, phases=phases)
    return Outcome(job.source, "done", job.outputs, note=radiograph.note, result=result, phases=phases)


@contextmanager
def _progress(jobs: list[Job]) -> Iterator[Iterable[Job]]:
    """A bar on stderr where that is a terminal and there is more than one file to wait for."""
    if len(jobs) < 2 or not sys.stderr.isatty():
        yield jobs
    else:
        with click.progressbar(jobs, label="edge-sr", show_pos=True, file=sys.stderr) as bar:
            yield bar
