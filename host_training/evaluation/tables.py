"""metrics.json as Markdown, and the per-image figures as CSV. Both are functions of their arguments alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from host_training.data.protocol import HR_SIDE, SCALE
from host_training.evaluation.scores import METRICS
from host_training.evaluation.summary import PER_IMAGE_COLUMNS

NOT_AVAILABLE = "not available"
COMPARED = ("psnr_db", "ssim", "haarpsi_med", "lpips")
PUBLISHED_TITLE = "Published results: as published, another protocol, not comparable row by row with ours"

Json = Mapping[str, Any]


def markdown_tables(record: Json) -> str:
    """Every set of a metrics.json, the published tables and the conditions last; for documents and the terminal."""
    parts = [_set(name, of_set, record, _scale) for name, of_set in record["sets"].items()]
    return "\n".join([*parts, _published(record["published"]), _conditions(record)])


def headline_tables(record: Json) -> str:
    """The figures of every row and what they are against bicubic; for a model card."""
    parts = [_set(name, of_set, record, _headlines) for name, of_set in record["sets"].items()]
    return "\n".join([*parts, _conditions(record)])


def per_image_csv(lines: Sequence[Json]) -> str:
    """A header and one line a row and picture; a figure that was not measured is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, PER_IMAGE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _set(name: str, of_set: Json, record: Json, tables_of: Callable[[Json], list[str]]) -> str:
    lines = [
        f"### {name}",
        "",
        f"{of_set['pictures']} pictures of {of_set['patients']} patients. {_how(of_set, record)}",
        f"In brackets: {record['bootstrap']['level']:.0%} bootstrap interval over patients.",
        "",
    ]
    for side, scale in of_set["scales"].items():
        lines += [f"#### {name}, {int(side) // SCALE} to {side}", "", *tables_of(scale)]
    return "\n".join([*lines, *_across(of_set)])


def _how(of_set: Json, record: Json) -> str:
    if of_set["degradation"] == "area":
        return str(record["protocol"])
    return f"HR and LR as prepared, degradation {of_set['degradation']}; every row rounded to 8 bit before measuring."


def _headlines(scale: Json) -> list[str]:
    measured = [row for row in scale["rows"] if "metrics" in row]
    return [*_figures(measured), *_missing(scale["rows"]), *_over_bicubic(measured)]


def _scale(scale: Json) -> list[str]:
    titles = {row["key"]: row["title"] for row in scale["rows"]}
    return [
        *_headlines(scale),
        *_differences(scale["differences"], titles),
        *_spectrum(scale["spectrum"], titles),
        *_spread(scale["spread"]),
        *_worst(scale["worst"]),
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """With an empty line behind; nothing where there are no rows."""
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (header, ruler, *rows)] + [""] if rows else []


def _figures(rows: Sequence[Json]) -> list[str]:
    """The form of the published tables, and beside it what they lack."""
    header = ["row", "time, ms", "LPIPS", "PSNR, dB", "SSIM", "HaarPSI_MED", "LR-RMSE, mean (worst)"]
    return _table(header, [_row(row) for row in rows])


def _row(row: Json) -> list[str]:
    metrics = row["metrics"]
    means = [_mean(metrics, key) for key in ("lpips", "psnr_db", "ssim", "haarpsi_med")]
    time = f"{row['time_ms']['median']:.1f}" if "time_ms" in row else ""
    return [row["title"], time, *means, "{mean:.3f} ({worst:.3f})".format(**metrics["lr_rmse"])]


def _mean(metrics: Json, key: str) -> str:
    return f"{metrics[key]['mean']:.{METRICS[key].decimals}f}" if key in metrics else NOT_AVAILABLE


def _missing(rows: Sequence[Json]) -> list[str]:
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        if "metrics" not in row:
            by_reason.setdefault(row["not_available"], []).append(row["title"])
    return [line for reason, titles in by_reason.items() for line in (f"No {'; no '.join(titles)}: {reason}.", "")]


def _over_bicubic(rows: Sequence[Json]) -> list[str]:
    header = ["row minus bicubic", *(METRICS[key].title for key in COMPARED[:3]), "LPIPS divided by bicubic's"]
    return _table(
        header,
        [
            [row["title"], *_changes(row["over_bicubic"], COMPARED[:3]), interval_text(row.get("lpips_of_bicubic"), 3)]
            for row in rows
            if "over_bicubic" in row
        ],
    )


def _differences(entries: Sequence[Json], titles: Mapping[str, str]) -> list[str]:
    header = ["row minus row", *(METRICS[key].title for key in COMPARED)]
    rows = [
        [f"{titles[entry['row']]} − {titles[entry['minus']]}", *_changes(entry["difference"], COMPARED)]
        for entry in entries
    ]
    return _table(header, rows)


def _changes(changes: Json, keys: Sequence[str]) -> list[str]:
    return [interval_text(changes.get(key), METRICS[key].decimals, signed=True) for key in keys]


def _spectrum(spectrum: Json, titles: Mapping[str, str]) -> list[str]:
    rings = [f"{low} to {high} cycles" for low, high in spectrum["rings"]]
    rows = []
    for key, of_row in spectrum["rows"].items():
        bounds = zip(*(of_row[name] for name in ("energy_ratio", "low", "high")), strict=True)
        intervals = [dict(zip(("mean", "low", "high"), each, strict=True)) for each in bounds]
        rows.append([titles[key], *(interval_text(interval, 2) for interval in intervals)])
    return _table(["energy divided by HR's", *rings], rows)


def _spread(spread: Json) -> list[str]:
    header = ["seeds at fidelity 0", "variance / squared error of the mean", "calibrated", "rank correlation"]
    rows = []
    for key, of_bundle in spread.items():
        ratio, correlation = (interval_text(of_bundle[name], 3) for name in ("variance_over_error", "rank_correlation"))
        rows.append([f"{key}, {of_bundle['count']} seeds", ratio, f"{of_bundle['calibrated']:.3f}", correlation])
    return _table(header, rows)


def _worst(worst: Json) -> list[str]:
    lines = []
    for key, lists in worst.items():
        gains = ", ".join("{picture} {value:+.2f}".format(**entry) for entry in lists["psnr_gain_db"])
        rmse = "{picture} {value:.3f}".format(**lists["lr_rmse"][0])
        lines += [f"{key} at fidelity 1, least gain in PSNR over bicubic, dB: {gains}. Largest LR-RMSE: {rmse}.", ""]
    return lines


def _across(of_set: Json) -> list[str]:
    """The gain over bicubic at a larger scale beside that at the protocol's own."""
    lines: list[str] = []
    sides = list(dict.fromkeys(entry["scale"] for entry in of_set["across_scales"]))
    for side in sides:
        rows = [_gain_across(of_set, entry) for entry in of_set["across_scales"] if entry["scale"] == side]
        header = ["gain over bicubic, dB", f"at {HR_SIDE}", f"at {side}", f"at {side} minus at {HR_SIDE}"]
        lines += [f"#### Gain by scale, {HR_SIDE} and {side}", "", *_table(header, rows)]
    return lines


def _gain_across(of_set: Json, entry: Json) -> list[str]:
    sides = (entry["minus"], entry["scale"])
    rows = [row for at in sides for row in of_set["scales"][str(at)]["rows"] if row["key"] == entry["row"]]
    gains = [interval_text(row["over_bicubic"]["psnr_db"], 2, signed=True) for row in rows]
    return [rows[0]["title"], *gains, interval_text(entry["gain"]["psnr_db"], 2, signed=True)]


def interval_text(entry: Mapping[str, float] | None, decimals: int, *, signed: bool = False) -> str:
    """A mean and its bounds in brackets; "not available" for None."""
    if entry is None:
        return NOT_AVAILABLE
    form = f"{'+' if signed else ''}.{decimals}f"
    return f"{entry['mean']:{form}} [{entry['low']:{form}}, {entry['high']:{form}}]"


def _published(rows: Sequence[Json]) -> str:
    cells = [
        [
            f"{row['set']}, {row['row']}",
            "" if row["seconds"] is None else f"{row['seconds'] * 1e3:.0f}",
            f"{row['lpips']:.4f}",
            f"{row['psnr_db']:.2f}",
            f"{row['ssim']:.4f}",
        ]
        for row in rows
    ]
    return "\n".join([f"### {PUBLISHED_TITLE}", "", *_table(["row", "time, ms", "LPIPS", "PSNR, dB", "SSIM"], cells)])


def _conditions(record: Json) -> str:
    conditions = record["conditions"]
    time, limit = conditions["time"], conditions["limit"]
    lines = [_bundle(key, bundle) for key, bundle in record["bundles"].items()]
    load = "" if time["load_average"] is None else f", load average {time['load_average']:g}"
    lines.append(
        f"edge-sr {conditions['code_version']}, {conditions['date'][:10]}, {conditions['backend']}, "
        f"{conditions['cpu'] or 'unknown processor'}, {_cores(conditions)}{load}. Time: {time['what']}, the "
        f"{time['statistic']} of up to {time['calls']} calls after {time['warm_up']} to warm up, sessions "
        f"{time['sessions']}. LPIPS: squeeze, v0.1. LR-RMSE: grey levels of 255."
    )
    if limit:
        lines.append(f"Limited to {limit} pictures a set.")
    return "\n".join(lines) + "\n"


def _bundle(key: str, bundle: Json) -> str:
    return (
        f"Bundle {key}: {bundle['name']} {bundle['version']}, {bundle['sampler']}, steps: {bundle['steps']}, "
        f"{bundle['precision']}.\n"
    )


def _cores(conditions: Json) -> str:
    threads = conditions["threads"]
    return f"{conditions['cores']} cores, {'one thread a core' if threads is None else f'threads: {threads}'}"
