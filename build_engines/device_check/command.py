"""``edge-sr device-check``: what the owner of a board runs once, and the file that they send back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import click

from build_engines.check.pictures import build_pictures
from build_engines.device_check.lengths import DEFAULT_MINUTES, QUICK_MINUTES, Lengths
from build_engines.device_check.machine import looking, machine_json
from build_engines.device_check.plan import steps_of
from build_engines.device_check.privacy import Private
from build_engines.device_check.progress import Progress
from build_engines.device_check.report import Report
from build_engines.device_check.steps import INTERRUPTED, Result, Step, take, take_all
from build_engines.device_check.subject import Subject
from build_engines.device_check.summary import summary
from build_engines.targets.base import Target
from build_engines.targets.by_name import BACKENDS, target_of
from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_folder import cache_to_write
from edge_sr.cli.exit_codes import DONE, SOME_INPUTS_FAILED
from edge_sr.cli.lazy_group import examples
from edge_sr.device.power.conditions import Conditions, read_power_mode
from edge_sr.errors import EdgeSRError, EnvironmentFault, UsageError

AUTO = "auto"

Look = Callable[[], Conditions]


@click.command(
    "device-check",
    epilog=examples(
        "edge-sr device-check                          writes edge-sr-report-<date>.json: send it back",
        "edge-sr device-check --quick                  a minute of measuring; figures are coarser",
        "edge-sr device-check --rebuild --out a.json   engines anew, although there are some",
        "edge-sr device-check --skip build-int8        where a step brings the process down",
        "edge-sr device-check --backend onnxruntime    the processor, where there is a GPU too",
    ),
)
@click.option("--out", type=click.Path(path_type=Path), help="[default: edge-sr-report-<date>.json, in this folder]")
@click.option("--overwrite", is_flag=True, help="Replace the report where there is one.")
@click.option(
    "--backend",
    type=click.Choice([AUTO, *BACKENDS]),
    default=AUTO,
    show_default=True,
    help="auto: tensorrt where there is a GPU for it, else onnxruntime.",
)
@click.option(
    "--minutes",
    type=click.FloatRange(0.01, 120),
    default=DEFAULT_MINUTES,
    show_default=True,
    help="Of measuring. Builds come on top.",
)
@click.option("--quick", is_flag=True, help=f"The same as --minutes {QUICK_MINUTES:g}.")
@click.option("--rebuild", is_flag=True, help="Build both engines although there are such.")
@click.option("--skip", multiple=True, metavar="STEP", help="Leave a step out; may be given several times.")
@click.option("--threads", type=click.IntRange(min=1), help="CPU threads.  [default: as edge-sr run]")
def device_check(
    out: Path | None,
    overwrite: bool,
    backend: str,
    minutes: float,
    quick: bool,
    rebuild: bool,
    skip: tuple[str, ...],
    threads: int | None,
) -> int:
    """Build FP16 and INT8 of the bundle that ships, check and measure them on this machine, and write one report.

    Accuracy, latency, overlap, memory, power and energy, with the machine's conditions around each. A step that fails
    is written down and the rest goes on; the exit code is then 1. Engines stay in the engine cache, for edge-sr run.
    The report holds no picture, no name of a person or machine, and no path of a home folder.
    """
    minutes = QUICK_MINUTES if quick else minutes
    cache = cache_to_write()
    target, no_tensorrt = chosen_target(backend, cache, threads)
    chain = chain_of(Bundle.open(default_bundle()))
    subject = Subject(chain, target, cache, build_pictures(chain.bundle.manifest), threads)
    progress = Progress(subject.simulated)
    steps = steps_of(subject, Lengths.of(minutes), rebuild=rebuild, tell=progress.tell)
    _refuse_unknown(skip, steps)
    options = {"backend": backend, "minutes": minutes, "rebuild": rebuild, "skip": list(skip), "threads": threads}
    power_mode = read_power_mode()
    head = {"options": options, "no_tensorrt": no_tensorrt, **_head(subject, power_mode)}
    report = Report(out or default_name(subject.simulated), head, subject.simulated, Private.here())
    report.claim(overwrite=overwrite)
    _run(steps, report, progress, skip, looking(power_mode))
    try:
        report.write()
    finally:  # on a full disk a person still sees what was found
        click.echo("\n".join(summary(report)))
    click.echo(f"\nreport: {report.path}; please send this file back")
    if any(result.status == INTERRUPTED for result in report.results):
        raise KeyboardInterrupt
    return DONE if report.passed else SOME_INPUTS_FAILED


def chosen_target(backend: str, cache: Path, threads: int | None) -> tuple[Target, str | None]:
    """The target, and with AUTO why it is not TensorRT, where it is not: a board's owner has to see that."""
    if backend != AUTO:
        return target_of(backend, cache=cache, threads=threads), None
    try:
        return target_of("tensorrt", cache=cache, threads=threads), None
    except EnvironmentFault as fault:
        return target_of("onnxruntime", cache=cache, threads=threads), str(fault)


def default_name(simulated: bool) -> Path:
    """In the present folder."""
    marked = "SIMULATED-" if simulated else ""
    return Path(f"edge-sr-report-{marked}{datetime.now(timezone.utc):%Y-%m-%d}.json")


def _head(subject: Subject, power_mode: str | None) -> dict[str, object]:
    bundle = subject.chain.bundle
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "bundle": {
            "name": bundle.manifest.name,
            "version": bundle.manifest.version,
            "sha256": bundle.sha256,
            "chain": str(subject.chain),
        },
        "machine": machine_json(subject, power_mode),
    }


def _refuse_unknown(skip: Sequence[str], steps: Sequence[Step]) -> None:
    known = [step.name for step in steps]
    for name in skip:
        if name not in known:
            raise UsageError(f"no such step: {name}", where="--skip", expected=", ".join(known))


def _run(steps: Sequence[Step], report: Report, progress: Progress, skip: Sequence[str], look: Look) -> None:
    """The report is written before every step: a crash of the process leaves what was found until then."""
    start_s = time.perf_counter()

    def begin(number: int, step: Step) -> None:
        progress.begin(number, steps, skip)
        report.running = step.name
        try:
            report.write()
        except EdgeSRError as error:  # a full disk now; the last write, which counts, may find room
            progress.tell(f"the report is not written yet: {error.what}")

    def end(result: Result) -> None:
        report.results.append(result)
        report.seconds = time.perf_counter() - start_s
        progress.end(result)

    results = take_all(steps, skip=skip, begin=begin, end=end, taken=partial(take, look=look))
    report.running = None
    report.complete = not any(result.status == INTERRUPTED for result in results)
