"""``edge-sr power``: what this machine takes, rail by rail, and what that is known from."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping

import click

from edge_sr.cli.lazy_group import examples
from edge_sr.device.power.find import METERS, Found, find_meter
from edge_sr.device.power.meter import TOTAL
from edge_sr.device.power.recorder import Recorder
from edge_sr.device.power.trace import Figures, between
from edge_sr.errors import EnvironmentFault

SCHEMA_VERSION = 1
DEFAULT_S = 2.0  # where nobody watches
REFRESH_S = 0.5
FIRST_READING_S = 3.0  # how long it is waited for
WARMEST = 6  # temperatures that the table shows


@click.command(
    epilog=examples(
        "edge-sr power                        live, until Ctrl-C",
        "edge-sr power --seconds 10 --json    mean power and energy over ten seconds, for programs",
        "edge-sr power --once                 one reading",
        "sudo edge-sr power --meter rapl      a PC: most kernels let only root read its counters",
    )
)
@click.option("--seconds", type=click.FloatRange(min=0.1), help=f"How long.  [default: {DEFAULT_S:g}; live: no end]")
@click.option("--once", is_flag=True, help="One reading, and stop.")
@click.option("--meter", "name", type=click.Choice(list(METERS)), help="This one alone.  [default: the first there is]")
@click.option("--json", "as_json", is_flag=True, envvar="EDGE_SR_POWER_JSON", help="One JSON document, at the end.")
def power(seconds: float | None, once: bool, name: str | None, as_json: bool) -> None:
    """Show what this machine takes in watts, by rail, with temperatures, clocks and throttling.

    On a terminal a table that stays up to date; elsewhere one table. Meters are tried in the order jtop, ina3221,
    tegrastats, nvml, rapl. Exits 3 where none answers, and says what was looked for.
    """
    if once and seconds is not None:
        raise click.UsageError("--once and --seconds exclude each other")
    found = find_meter(name)
    live = sys.stdout.isatty() and not (once or as_json)
    if not live:
        seconds = seconds or DEFAULT_S
    with Recorder(found.meter) as recorder:
        _wait_for_the_first(recorder)
        figures = None
        if found.meter is not None and not once:
            figures = _watch(recorder, seconds, _table if live else _nothing)
        if as_json:
            click.echo(json.dumps(_document(found, recorder, figures), indent=2))
        elif figures is not None or recorder.trace.newest_w:
            click.echo("\n".join(_table(recorder, figures)))
        _check(found, recorder)


Table = Callable[[Recorder, Figures | None], Iterator[str]]


def _wait_for_the_first(recorder: Recorder) -> None:
    """Until the conditions and, where there is a meter, the power are known; an energy counter is read twice for it."""
    start_s = recorder.clock()
    while recorder.clock() < start_s + FIRST_READING_S:
        if recorder.looked_since(0) and (recorder.trace.newest_w or not recorder.sampler.reads):
            return
        recorder.wait(0.02)


def _watch(recorder: Recorder, seconds: float | None, table: Table) -> Figures | None:
    """Measure that long, or until Ctrl-C, and draw the table anew where it has lines; figures over all of it.

    Where the meter failed before the end they reach to its last reading.
    """
    start_s = recorder.clock()
    end_s = None if seconds is None else start_s + seconds
    lines: list[str] = []
    start = None
    try:
        while end_s is None or recorder.clock() < end_s:
            recorder.wait(REFRESH_S if end_s is None else min(REFRESH_S, max(end_s - recorder.clock(), 0.001)))
            start = start or recorder.mark(start_s)
            _erase(lines)
            width = shutil.get_terminal_size().columns  # a line that wraps would be two to erase
            lines = [line[:width] for line in table(recorder, recorder.figures_since(start))]
            if lines:
                click.echo("\n".join(lines))
    except KeyboardInterrupt:
        pass
    _erase(lines)
    stop_s = recorder.clock()
    while not recorder.settled(stop_s):
        recorder.wait(0.02)
    start = start or recorder.mark(start_s)
    return between(start, recorder.mark(stop_s)) or recorder.figures_since(start)


def _erase(lines: list[str]) -> None:
    if lines:
        click.echo(f"\x1b[{len(lines)}A\x1b[J", nl=False)


def _nothing(recorder: Recorder, figures: Figures | None) -> Iterator[str]:
    yield from ()


def _table(recorder: Recorder, figures: Figures | None) -> Iterator[str]:
    """Rails as last read and their means, then what else is known."""
    assert recorder.meter is not None
    yield f"{recorder.meter.name}: {recorder.meter.covers}"
    newest_w = recorder.trace.newest_w or ({} if figures is None else figures.mean_w)
    yield f"{'rail':<24}{'now W':>9}{'mean W':>9}"
    for rail in sorted(newest_w, key=lambda rail: (rail == TOTAL, rail)):
        mean = "" if figures is None else f"{figures.mean_w.get(rail, float('nan')):.2f}"
        yield f"{rail:<24}{newest_w[rail]:>9.2f}{mean:>9}"
    if figures is not None:
        yield f"{figures.energy_j:.2f} J in {figures.seconds:.2f} s, {figures.readings} readings"
    conditions = recorder.conditions()
    if conditions.temperatures_c:
        warm = sorted(conditions.temperatures_c.items(), key=lambda pair: -pair[1])[:WARMEST]
        yield "temperatures: " + ", ".join(f"{part} {degrees:.1f} C" for part, degrees in warm)
    if conditions.clocks_mhz:
        yield "clocks: " + ", ".join(_clocks(conditions.clocks_mhz))
    yield f"power mode: {conditions.power_mode or 'not available'}"
    reasons = conditions.throttling
    yield "throttling: " + ("not available" if reasons is None else ", ".join(reasons) or "none")


def _clocks(clocks_mhz: Mapping[str, float]) -> Iterator[str]:
    """All cores in one, everything else by name."""
    cores = [mhz for part, mhz in clocks_mhz.items() if part.startswith("cpu")]
    if cores:
        yield f"cores {min(cores):.0f} to {max(cores):.0f} MHz"
    yield from (f"{part} {mhz:.0f} MHz" for part, mhz in clocks_mhz.items() if not part.startswith("cpu"))


def _document(found: Found, recorder: Recorder, figures: Figures | None) -> dict[str, object]:
    return {
        "schema_version": SCHEMA_VERSION,
        "meter": None if found.meter is None else found.meter.name,
        "covers": None if found.meter is None else found.meter.covers,
        "missing": found.reasons,
        "now_w": dict(recorder.trace.newest_w) or None,
        "seconds": None if figures is None else figures.seconds,
        "readings": None if figures is None else figures.readings,
        "mean_w": None if figures is None else dict(figures.mean_w),
        "energy_j": None if figures is None else figures.energy_j,
        "trouble": recorder.sampler.trouble(),
        "conditions": recorder.conditions().to_json(),
    }


def _check(found: Found, recorder: Recorder) -> None:
    """EnvironmentFault where there was no meter, or none of its readings served; a lesser fault is told."""
    if found.meter is None:
        looked = "".join(f"\n  {name:<12}{reason}" for name, reason in found.reasons.items())
        raise EnvironmentFault(f"no power meter answers here{looked}")
    trouble = recorder.sampler.trouble()
    if not recorder.trace.newest_w:
        raise EnvironmentFault(trouble or "no reading came in time", where=found.meter.name, hint="another --meter")
    if trouble is not None:
        click.echo(f"warning: {trouble}", err=True)
