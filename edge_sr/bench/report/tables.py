"""What a report's variants cost and are worth, as tables; None where the report has nothing for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from edge_sr.bench.bootstrap import Interval
from edge_sr.bench.report.figures import BY_NAME, most_pictures_per_s
from edge_sr.bench.report.numbers import NONE, fixed, mib, share, significant, whole
from edge_sr.bench.report.table import Table, only_filled
from edge_sr.bench.schema import DECILES, METRICS, Quality, Report, Times, Variant
from edge_sr.timing import PHASES

SCORES = {  # of METRICS: title and places behind the point
    "psnr_db": ("PSNR, dB", 2),
    "ssim": ("SSIM", 4),
    "haarpsi_med": ("HaarPSI_MED", 4),
    "lpips": ("LPIPS", 4),
    "lr_rmse": ("LR-RMSE", 3),
    "mean_shift": ("mean shift", 3),
}
FILE_NOTE = "file: from one file to the renamed other; p50 and p99: from pixels to pixels"


def numbered(report: Report) -> list[str]:
    """The variants' titles, with the numbers under which charts show them."""
    return [f"{n} {variant.title}" for n, variant in enumerate(report.variants, 1)]


def overview(report: Report) -> Table:
    """What a reader wants first, a row a variant."""
    columns = (
        *("variant", "file p50, ms", "p50, ms", "p99, ms", "pictures/s", "PSNR, dB"),
        *("over bicubic, dB", "HaarPSI_MED", "peak MiB", "J a picture", "10^9 MACs"),
    )
    rows = [(name, *_overview_cells(each)) for name, each in zip(numbered(report), report.variants, strict=True)]
    notes = [f"{each.title}: {each.note}" for each in report.variants if each.note]
    told = ". ".join([FILE_NOTE, *notes]) + "."
    return only_filled(Table("One row a variant", columns, tuple(rows), told))


def _overview_cells(variant: Variant) -> tuple[str, ...]:
    over = variant.quality.over_bicubic.get("psnr_db") if variant.quality else None
    names = ("file_p50", "p50", "p99")
    times = [BY_NAME[name].told(BY_NAME[name].of(variant)) for name in names]
    psnr, haarpsi = (BY_NAME[name].told(BY_NAME[name].of(variant)) for name in ("psnr", "haarpsi"))
    cost = [significant(variant.memory.peak_mib if variant.memory else None)]
    cost.append(significant(variant.energy.joules_per_picture if variant.energy else None))
    cost.append(significant(variant.macs / 1e9 if variant.macs is not None else None))
    gain = fixed(over.mean if over else None, 2, sign=True)
    return (*times, significant(most_pictures_per_s(variant)), psnr, gain, haarpsi, *cost)


def identities(report: Report) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """What each variant is: its title, and names and values without those that it has not."""
    for name, variant in zip(numbered(report), report.variants, strict=True):
        yield name, [(what, value) for what, value in _identity(variant) if value != NONE]


def _identity(variant: Variant) -> Iterator[tuple[str, str]]:
    yield "model", variant.model + (", a peer" if variant.peer else "")
    yield "bundle", _bundle(variant) if variant.bundle else NONE
    yield "family", variant.family or NONE
    yield "backend", variant.backend
    yield "precision", f"{variant.precision} (asked: {variant.asked})"
    yield "sampler", variant.sampler or NONE
    yield "steps", whole(variant.steps)
    yield "threads", whole(variant.threads)
    yield "LR picture", f"{'x'.join(map(str, variant.size))}, made {variant.scale} times as wide and high"
    yield "engine", variant.engine or NONE
    yield "engine, MiB", mib(variant.engine_bytes)
    yield "built in, s", significant(variant.build_seconds)
    yield "multiply-accumulates", whole(variant.macs)
    yield "note", variant.note or NONE
    yield "key", variant.key


def _bundle(variant: Variant) -> str:
    assert variant.bundle is not None
    return f"{variant.bundle.name} {variant.bundle.version} (sha256 {variant.bundle.sha256[:12]})"


TIMES = ("calls", "p50", "p90", "p95", "p99", "mean", "cv", "least", "most")


def latencies(report: Report) -> Table:
    """From array to array; below each, from file to file."""
    rows = []
    for name, variant in zip(numbered(report), report.variants, strict=True):
        rows.append((f"{name}, in memory", *_times(variant.latency), NONE))
        if variant.file_latency:
            outside = significant(variant.outside_session_ms)
            rows.append((f"{name}, file to file", *_times(variant.file_latency), outside))
    columns = ("milliseconds", *TIMES, "outside the session")
    note = "cv: standard deviation over mean. p99 needs 100 calls."
    return only_filled(Table("Latency of one picture", columns, tuple(rows), note))


def _times(times: Times) -> tuple[str, ...]:
    tail = (times.p50_ms, times.p90_ms, times.p95_ms, times.p99_ms, times.mean_ms)
    ends = (significant(times.least_ms), significant(times.most_ms))
    return (whole(times.calls), *map(significant, tail), share(times.cv), *ends)


def openings(report: Report) -> Table:
    columns = (
        "milliseconds",
        "open",
        "first call",
        "cold start",
        "cold starts",
        "warm-up calls",
        "warm-up s",
        "stable",
    )
    rows = []
    for name, variant in zip(numbered(report), report.variants, strict=True):
        each, warm = variant.opening, variant.opening.warm_up
        times = map(significant, (each.open_ms, each.first_call_ms, each.cold_start_ms))
        settled = (whole(warm.calls), significant(warm.seconds), "yes" if warm.stable else "no")
        rows.append((name, *times, whole(each.cold_starts), *settled))
    note = "Cold start: from launching edge-sr run as a process to its end, one picture."
    return Table("Before the first result", columns, tuple(rows), note)


def phases(report: Report) -> Table | None:
    """Medians of each phase, in the phases' own order."""
    rows = []
    for name, variant in zip(numbered(report), report.variants, strict=True):
        for kind, times in (("in memory", variant.latency), ("file to file", variant.file_latency)):
            if times is not None and times.phases_p50_ms:
                told = [significant(times.phases_p50_ms.get(phase)) for phase in PHASES]
                rows.append((f"{name}, {kind}", *told))
    note = "Medians of each phase: their sum is near the median of the whole and not equal to it."
    return only_filled(Table("Medians of the phases", ("milliseconds", *PHASES), tuple(rows), note)) if rows else None


def throughputs(report: Report) -> Table | None:
    batches = sorted({each.batch for variant in report.variants for each in variant.throughput})
    streamed = any(variant.stream_pictures_per_s is not None for variant in report.variants)
    columns = ("pictures/s", *(f"batch {batch}" for batch in batches), "streamed")
    rows = tuple(
        (name, *_throughput(variant, batches)) for name, variant in zip(numbered(report), report.variants, strict=True)
    )
    note = "In brackets: milliseconds of one call, p50."
    return only_filled(Table("Pictures a second", columns, rows, note)) if batches or streamed else None


def _throughput(variant: Variant, batches: Sequence[int]) -> tuple[str, ...]:
    of = {each.batch: f"{significant(each.pictures_per_s)} ({significant(each.p50_ms)})" for each in variant.throughput}
    return (*(of.get(batch, NONE) for batch in batches), significant(variant.stream_pictures_per_s))


def costs(report: Report) -> Table | None:
    """Memory and energy."""
    columns = ("variant", "peak MiB", "steady MiB", "J a picture", "W", "idle W", "over s", "readings", "meter")
    rows = tuple((name, *_costs(each)) for name, each in zip(numbered(report), report.variants, strict=True))
    if all(cell == NONE for row in rows for cell in row[1:]):
        return None
    note = "Peak: of edge-sr run as a process, one picture. Steady: after many pictures, the session open."
    return only_filled(Table("Memory, energy and power", columns, rows, note))


def _costs(variant: Variant) -> tuple[str, ...]:
    memory, energy = variant.memory, variant.energy
    held = map(significant, (memory.peak_mib, memory.steady_mib)) if memory else (NONE, NONE)
    if energy is None:
        return (*held, *[NONE] * 6)
    power = map(significant, (energy.joules_per_picture, energy.power_w, energy.idle_w, energy.seconds))
    return (*held, *power, whole(energy.readings), f"{energy.meter}: {energy.covers}")


def scores(report: Report) -> Table | None:
    return _quality(
        report, "Scores", lambda quality: quality.metrics, "Means over the pictures, with 95 % bootstrap intervals."
    )


def scores_over_bicubic(report: Report) -> Table | None:
    note = "Paired differences, picture by picture, with 95 % bootstrap intervals."
    return _quality(report, "Over bicubic", lambda quality: quality.over_bicubic, note, sign=True)


def _quality(
    report: Report, title: str, take: Callable[[Quality], Mapping[str, Interval]], note: str, *, sign: bool = False
) -> Table | None:
    rows = []
    for name, variant in zip(numbered(report), report.variants, strict=True):
        found = take(variant.quality) if variant.quality else None
        if variant.quality and found:
            cells = [_interval(found.get(metric), SCORES[metric][1], sign) for metric in METRICS]
            rows.append((name, whole(variant.quality.pictures), whole(variant.quality.patients), *cells))
    columns = ("variant", "pictures", "patients", *(SCORES[metric][0] for metric in METRICS))
    return only_filled(Table(title, columns, tuple(rows), note)) if rows else None


def _interval(interval: Interval | None, places: int, sign: bool = False) -> str:
    if interval is None:
        return NONE
    ends = f"{fixed(interval.low, places, sign=sign)} to {fixed(interval.high, places, sign=sign)}"
    return f"{fixed(interval.mean, places, sign=sign)} ({ends})"


def shifts(report: Report) -> Table | None:
    """Against float32, by tenths of its grey levels."""
    rows = []
    for name, variant in zip(numbered(report), report.variants, strict=True):
        against = variant.quality.against_float32 if variant.quality else None
        if against is not None:
            tenths = [fixed(each, 3, sign=True) for each in against.shift_by_decile]
            psnr = "equal" if against.psnr_db is None else fixed(against.psnr_db, 2)
            rows.append((name, psnr, _interval(against.mean_shift, 3, sign=True), *tenths))
    columns = ("grey levels of 255", "PSNR, dB", "mean shift", *(f"tenth {n}" for n in range(1, DECILES + 1)))
    note = "Variant less float32. Tenth 1: the darkest tenth of the pixels, as float32 has them. Above 0 is brighter."
    return Table("Against float32", columns, tuple(rows), note) if rows else None


def worst(report: Report) -> Table | None:
    rows = []
    for name, variant in zip(numbered(report), report.variants, strict=True):
        for each in variant.quality.worst if variant.quality else ():
            cells = (_worst_cell(each.metrics, each.over_bicubic, metric) for metric in METRICS)
            rows.append((name, each.picture, *cells))
    columns = ("variant", "picture", *(SCORES[metric][0] for metric in METRICS))
    return only_filled(Table("Worst pictures", columns, tuple(rows), "In brackets: over bicubic.")) if rows else None


def _worst_cell(metrics: Mapping[str, float], over: Mapping[str, float], metric: str) -> str:
    value, places = metrics.get(metric), SCORES[metric][1]
    gain = f" ({fixed(over.get(metric), places, sign=True)})" if over.get(metric) is not None else ""
    return fixed(value, places) + gain
