"""metrics.json as Markdown, and the per-image figures as CSV. Both are functions of their arguments alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from host_training.evaluation.scores import METRICS
from host_training.evaluation.summary import PER_IMAGE_COLUMNS

NOT_AVAILABLE = "not available"
COMPARED = ("psnr_db", "ssim", "haarpsi_med", "lpips")


def markdown_tables(record: Mapping[str, Any]) -> str:
    """Every set of a metrics.json, its conditions last; what documents and the terminal show."""
    parts = [_set(name, of_set, record) for name, of_set in record["sets"].items()]
    return "\n".join([*parts, _conditions(record)])


def per_image_csv(lines: Sequence[Mapping[str, Any]]) -> str:
    """A header and one line a row and picture; a figure that was not measured is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, PER_IMAGE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _set(name: str, of_set: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    titles = {row["key"]: row["title"] for row in of_set["rows"]}
    header = [f"{metric.title}" for metric in METRICS.values()]
    header[1:1] = ["gain over bicubic, dB"]
    header[-1] += ", mean (worst)"
    lines = [
        f"### {name}",
        "",
        f"{of_set['pictures']} pictures of {of_set['patients']} patients. {record['protocol']}",
        f"In brackets: {record['bootstrap']['level']:.0%} bootstrap interval over patients.",
        "",
        *_table(["row", *header], [_row(row) for row in of_set["rows"]]),
        "",
    ]
    if of_set["comparisons"]:
        compared = ["row minus row", *(METRICS[key].title for key in COMPARED)]
        lines += [*_table(compared, [_comparison(entry, titles) for entry in of_set["comparisons"]]), ""]
    return "\n".join([*lines, _seeds(of_set["seeds"]), "", _worst(of_set["worst"]), ""])


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    ruler = ["---", *["---:"] * (len(header) - 1)]
    return ["| " + " | ".join(cells) + " |" for cells in (header, ruler, *rows)]


def _row(row: Mapping[str, Any]) -> list[str]:
    if "metrics" not in row:
        reason = f"{row['title']}: {row['not_available']}" if row["not_available"] else row["title"]
        return [reason, *[NOT_AVAILABLE] * (len(METRICS) + 1)]
    metrics = row["metrics"]
    cells = [_interval(metrics.get(key), METRICS[key].decimals) for key in METRICS]
    gain = row.get("over_bicubic")
    cells[1:1] = [_interval(gain["psnr_db"], 2, signed=True) if gain else ""]
    cells[-1] = "{mean:.3f} ({worst:.3f})".format(**metrics["lr_rmse"])
    return [row["title"], *cells]


def _comparison(entry: Mapping[str, Any], titles: Mapping[str, str]) -> list[str]:
    cells = [_interval(entry["difference"].get(key), METRICS[key].decimals, signed=True) for key in COMPARED]
    return [f"{titles[entry['row']]} − {titles[entry['minus']]}", *cells]


def _interval(entry: Mapping[str, float] | None, decimals: int, *, signed: bool = False) -> str:
    if entry is None:
        return NOT_AVAILABLE
    form = f"{'+' if signed else ''}.{decimals}f"
    return f"{entry['mean']:{form}} [{entry['low']:{form}}, {entry['high']:{form}}]"


def _seeds(seeds: Mapping[str, Any]) -> str:
    ratio, correlation = (_interval(seeds[key], 3) for key in ("variance_over_error", "rank_correlation"))
    return (
        f"Over {seeds['count']} seeds at fidelity 0: variance divided by the squared error of the mean {ratio} "
        f"(a calibrated model: {seeds['calibrated']:.3f}); rank correlation of spread and error, pixel by pixel, "
        f"{correlation}."
    )


def _worst(worst: Mapping[str, Any]) -> str:
    gains = ", ".join("{picture} {value:+.2f}".format(**entry) for entry in worst["psnr_gain_db"])
    rmses = ", ".join("{picture} {value:.3f}".format(**entry) for entry in worst["lr_rmse"][:1])
    return f"Least gain in PSNR over bicubic at fidelity 1, dB: {gains}. Largest LR-RMSE: {rmses}."


def _conditions(record: Mapping[str, Any]) -> str:
    conditions = record["conditions"]
    bundle, limit = conditions["bundle"], conditions["limit"]
    text = (
        f"Bundle {bundle['name']} {bundle['version']}, {conditions['sampler']}, steps: {conditions['steps']}, "
        f"{conditions['precision']} in {conditions['backend']}; edge-sr {conditions['code_version']}, "
        f"{conditions['date'][:10]}, {conditions['cpu'] or 'unknown processor'}."
    )
    return text + (f" Limited to {limit} pictures a set." if limit else "") + "\n"
