"""``edge-sr watch``: the folder service."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from edge_sr.cli.exit_codes import ANOTHER_INSTANCE, BUG, code_of
from edge_sr.cli.lazy_group import examples
from edge_sr.cli.model_options import COLOUR, MAX_PIXELS, THREADS, model_options
from edge_sr.errors import EdgeSRError

if TYPE_CHECKING:
    from edge_sr.cli.watch_work import Choice, LateDecoder, ModelWork
    from edge_sr.image.radiograph import Colour
    from edge_sr.service.job import OfferEnd
    from edge_sr.service.log import EventLog

DEFAULT_SPOOL = "/var/spool/edge-sr"  # as edge_sr.service.spool; a test holds the two together
# Each stage makes many short system calls, after each of which it waits for the interpreter's lock: at Python's 5 ms a
# thread that computes in Python holds all others up, and small pictures come out at half the rate.
SWITCH_S = 0.0005

EXAMPLES = examples(
    "edge-sr watch /srv/x4                       until it is stopped: incoming/ to outgoing/",
    "edge-sr watch /srv/x4 --once                what is there now, then end; for cron",
    "edge-sr watch --model default,fast,bicubic --metrics-file /var/lib/node_exporter/edge-sr.prom",
    "EDGE_SR_SPOOL=/srv/x4 EDGE_SR_WATCH_FIDELITY=0.5 edge-sr watch",
)


@click.command(epilog=EXAMPLES)
@click.argument("spool", type=click.Path(path_type=Path), default=DEFAULT_SPOOL, envvar="EDGE_SR_SPOOL")
@model_options
@COLOUR
@THREADS
@MAX_PIXELS
@click.option(
    "--scan-interval",
    type=click.FloatRange(0.05, 3600),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="Between two looks at incoming. Events of the kernel come on top of that, where it has them.",
)
@click.option(
    "--incomplete-after",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="A file that has not changed for so long and does not end properly goes to quarantine.",
)
@click.option(
    "--keep-done",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Remove inputs from done after so many days.  [default: never]",
)
@click.option(
    "--stalled-after",
    type=click.FloatRange(min=0.1),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Decoding, computing or publishing that takes longer, beside the time its pixels need, counts as hung: "
    "systemd hears nothing any more and starts the service anew.",
)
@click.option(
    "--metrics-file",
    type=click.Path(path_type=Path),
    metavar="FILE.prom",
    help="Write figures for Prometheus' textfile collector every 15 seconds.",
)
@click.option(
    "--latency-log",
    type=click.Path(path_type=Path),
    metavar="FILE.jsonl",
    help="Append a record a picture: phases, power and energy where a meter tells. It keeps a meter running.",
)
@click.option("--once", is_flag=True, help="Work through what is there, then end: 1 where anything was quarantined.")
@click.pass_context
def watch(
    ctx: click.Context,
    spool: Path,
    model: str,
    precision: str,
    backend: str | None,
    provider: str | None,
    steps: int | None,
    sampler: str | None,
    seed: int | None,
    fidelity: float | None,
    colour: Colour,
    threads: int | None,
    max_pixels: int,
    scan_interval: float,
    incomplete_after: float,
    keep_done: float | None,
    stalled_after: float,
    metrics_file: Path | None,
    latency_log: Path | None,
    once: bool,
) -> None:
    """Super-resolve every picture that is put into SPOOL/incoming, until it is stopped.

    Results and their records come out in SPOOL/outgoing, served inputs go to done, unfit ones to quarantine with the
    reason. Nothing is overwritten, nothing is deleted, and a picture comes out once whatever happens meanwhile. The log
    on stderr holds job numbers and no names. Every option can stand in the environment, as EDGE_SR_WATCH_MODEL. SPOOL
    is EDGE_SR_SPOOL, else /var/spool/edge-sr. Not for diagnostic use.
    """
    from edge_sr.cli.watch_work import Choice
    from edge_sr.service.log import EventLog
    from edge_sr.service.loop import Settings
    from edge_sr.service.notify import Notifier

    sys.setswitchinterval(SWITCH_S)
    log = EventLog()
    notifier = Notifier()
    choice = Choice(model.split(","), precision, backend, provider, steps, sampler, seed, fidelity, threads)
    try:
        with _latency(latency_log, log) as on_end, _decoder(colour, max_pixels) as decoder:
            from edge_sr.image.ending import ends_properly
            from edge_sr.image.radiograph import most_bytes
            from edge_sr.service.metrics import MetricsFile
            from edge_sr.service.serve import serve

            code = serve(
                spool,
                partial(_open, choice, decoder, log),
                decoder,
                ends=ends_properly,
                most_bytes=most_bytes(max_pixels),
                settings=Settings(scan_interval, once),
                notifier=notifier,
                log=log,
                incomplete_after_s=incomplete_after,
                stalled_s=stalled_after,
                keep_done_days=keep_done,
                metrics=None if metrics_file is None else MetricsFile(metrics_file),
                on_end=on_end,
            )
    except Exception as error:
        _fail(error, log)
    ctx.exit(code)


def _open(choice: Choice, decoder: LateDecoder, log: EventLog) -> ModelWork:
    from edge_sr.cli.watch_work import ModelWork

    work = ModelWork(choice, note=log.note)
    decoder.fit(work.channels)
    return work


@contextmanager
def _decoder(colour: Colour, max_pixels: int) -> Iterator[LateDecoder]:
    from edge_sr.cli.watch_work import LateDecoder
    from edge_sr.image.sandbox import Decoder

    decoder = LateDecoder(lambda treatment: Decoder(max_pixels=max_pixels, colour=treatment), colour)
    try:
        yield decoder
    finally:
        decoder.close()


@contextmanager
def _latency(path: Path | None, log: EventLog) -> Iterator[list[Callable[[OfferEnd], None]]]:
    if path is None:
        yield []
        return
    from edge_sr.cli.watch_log import latency_log

    with latency_log(path, log) as told:
        yield [told]


def _fail(error: Exception, log: EventLog) -> NoReturn:
    """As ``exit_codes`` has it, but told as a line of the log."""
    from edge_sr.service.spool import AnotherInstance

    code = ANOTHER_INSTANCE if isinstance(error, AnotherInstance) else code_of(error)
    if os.environ.get("EDGE_SR_DEBUG"):
        traceback.print_exception(error)
    if isinstance(error, EdgeSRError) and code != BUG:
        log.failed(error, code)
    else:
        log.bug(error)
    raise click.exceptions.Exit(code)
