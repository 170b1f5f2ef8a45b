"""Warnings that explain themselves: what makes a figure worth less than it looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_sr.bench.energy import LEAST_READINGS
from edge_sr.bench.latency import LEAST_CALLS
from edge_sr.bench.schema import Conditions, Variant

BUSY = 0.5  # programs that wanted to run, on average over the minute before, without this one
UNSTEADY_CV = 0.25  # of the calls of one variant; on an idle machine 0.02 to 0.1
CLOCK_CHANGE = 0.1  # of the mean clock of the cores, from before to after
HOST_BOUND = 0.5  # of a file's time outside the session


def caveats(conditions: Conditions, variants: Sequence[Variant]) -> Iterator[str]:
    """In the order of their weight: first what touches all variants."""
    yield from _of_machine(conditions)
    for variant in variants:
        yield from _of_variant(variant)


def _of_machine(conditions: Conditions) -> Iterator[str]:
    if conditions.throttling:
        reasons = ", ".join(conditions.throttling)
        yield f"clocks were held down meanwhile ({reasons}): times are of a hot or starved machine; cool it and repeat"
    load = conditions.load_average_before
    if load is not None and load > BUSY:
        yield (
            f"the machine was busy before the start (load average {load:g}): other programs' work is in these times; "
            "ratios between variants hold better than milliseconds"
        )
    change = _clock_change(conditions)
    if change is not None and abs(change) > CLOCK_CHANGE:
        yield (
            f"the cores' clocks were {change:+.0%} at the end against the start: variants that came late ran on "
            "another machine, as it were; fix the clocks (docs/power.md) and repeat"
        )


def _clock_change(conditions: Conditions) -> float | None:
    """Of the mean clock of the cores; None where the system does not tell."""
    means = []
    for moment in (conditions.before, conditions.after):
        clocks = [mhz for name, mhz in moment.get("clocks_mhz", {}).items() if name.startswith("cpu")]
        if not clocks:
            return None
        means.append(sum(clocks) / len(clocks))
    return means[1] / means[0] - 1 if means[0] else None


def _of_variant(variant: Variant) -> Iterator[str]:
    name, latency, file = variant.title, variant.latency, variant.file_latency
    if variant.asked not in ("auto", variant.precision):
        yield f"{name}: {variant.asked} was asked for and the engine is {variant.precision}"
    if latency.calls < LEAST_CALLS:
        yield f"{name}: only {latency.calls} calls, so its percentiles are guesses; more --minutes"
    if not variant.opening.warm_up.stable:
        yield f"{name}: never settled while warming up; its median may still be falling"
    if latency.cv > UNSTEADY_CV:
        yield (
            f"{name}: its calls scatter by {latency.cv:.0%} around their mean: something else wanted the processor; "
            "the median stands it better than the mean"
        )
    outside = variant.outside_session_ms
    if variant.bundle and file is not None and outside is not None and outside > HOST_BOUND * file.p50_ms:
        yield (
            f"{name}: host-bound, {outside:.2f} of {file.p50_ms:.2f} ms a file lie outside the session (reading, "
            "writing, conversion): a faster network would change little"
        )
    if variant.energy is not None and variant.energy.readings < LEAST_READINGS:
        yield f"{name}: only {variant.energy.readings} readings of power; more --minutes"
