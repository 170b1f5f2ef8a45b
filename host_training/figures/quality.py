"""How good each row is: its mean and interval, the differences that matter, and what PSNR costs in LPIPS."""

from __future__ import annotations

from collections.abc import Mapping

from host_training.evaluation.scores import METRICS
from host_training.figures.intervals import Line, intervals, told
from host_training.figures.parts import Drawing, Part
from host_training.figures.results import Json, bundles_at, interval
from host_training.figures.spectrum import short
from host_training.figures.style import CYCLE, GREY, INK, axes, canvas, label_points, look_of

FIDELITIES = {"model_1": "1", "model_0.5": "0.5", "model_0": "0"}


def quality(of_set: str, scale: Json, metric: str) -> Part:
    """Every row's mean of one metric and its interval; a dashed line at bicubic's."""
    lines = [
        Line(row["title"], found, look_of(row["key"]))
        for row in scale["rows"]
        if (found := interval(row.get("metrics", {}).get(metric)))
    ]
    title, decimals = METRICS[metric].title, METRICS[metric].decimals
    if not lines:
        return f"No figure of {title}: it was not measured."
    means = {row["key"]: row["metrics"][metric]["mean"] for row in scale["rows"] if "metrics" in row}
    return Drawing(
        f"quality-{metric}-{of_set}",
        title,
        f"{title} on {of_set}: {told(lines, decimals)}.",
        intervals(lines, axis=title, decimals=decimals, reference=means.get("bicubic")),
    )


def differences(of_set: str, scale: Json, metric: str) -> Part:
    """Row minus row, paired; a line at 0."""
    titles = {row["key"]: row["title"] for row in scale["rows"]}
    lines = [
        Line(minus(entry["row"], entry["minus"], titles), found, look_of(entry["row"]))
        for entry in scale["differences"]
        if (found := interval(entry["difference"].get(metric)))
    ]
    title, decimals = METRICS[metric].title, METRICS[metric].decimals
    if not lines:
        return f"No figure of differences in {title}: none was measured."
    return Drawing(
        f"differences-{metric}-{of_set}",
        f"Differences in {title}",
        f"Differences in {title} on {of_set}: {told(lines, decimals, signed=True)}.",
        intervals(lines, axis=title, decimals=decimals, reference=0.0, signed=True),
    )


def minus(first: str, second: str, titles: Mapping[str, str]) -> str:
    """The bundle is named once where both rows are of one."""
    bundle, same = first.rpartition("/")[0], first.rpartition("/")[0] == second.rpartition("/")[0]
    return f"{titles[first]} − {titles[second].removeprefix(f'{bundle}, ') if same else titles[second]}"


def _label(bundle: str, fidelity: str, *, alone: bool) -> str:
    """alone: the bundle draws no noise, so it has no fidelity."""
    if alone:
        return bundle
    return f"{bundle}, fidelity 1" if fidelity == "1" else fidelity


def trade_off(of_set: str, scale: Json) -> Part:
    """LPIPS over PSNR: one line a bundle, from fidelity 1 to 0, among the rows without one."""
    at = {
        row["key"]: (row["metrics"]["psnr_db"]["mean"], row["metrics"]["lpips"]["mean"])
        for row in scale["rows"]
        if all(interval(row.get("metrics", {}).get(metric)) for metric in ("psnr_db", "lpips"))
    }
    if not at:
        return "No figure of LPIPS against PSNR: LPIPS was not measured."
    figure = canvas(3.2)
    ax = axes(figure, x=METRICS["psnr_db"].title, y=METRICS["lpips"].title)
    ax.grid()
    titles = {row["key"]: row["title"] for row in scale["rows"]}
    labels = [(*at[key], short(titles[key]), look_of(key).colour) for key in at if "/" not in key]
    for x, y, _, colour in labels:
        ax.plot([x], [y], "s", color=colour, markersize=5)
    lines: list[list[tuple[float, float]]] = []
    for number, bundle in enumerate(bundles_at(scale)):
        colour = CYCLE[number % len(CYCLE)]
        points = [(*at[key], fidelity) for row, fidelity in FIDELITIES.items() if (key := f"{bundle}/{row}") in at]
        ax.plot([x for x, _, _ in points], [y for _, y, _ in points], "o-", color=colour, markersize=5)
        lines.append([(x, y) for x, y, _ in points])
        labels[:0] = [(x, y, _label(bundle, name, alone=len(points) == 1), colour) for x, y, name in points]
    ax.margins(0.12)
    label_points(ax, [(x, y, text, INK if colour == GREY else colour) for x, y, text, colour in labels], lines=lines)
    words = "; ".join(f"{titles[key]} {psnr:.2f} dB and {lpips:.4f}" for key, (psnr, lpips) in at.items())
    return Drawing(
        f"trade-off-{of_set}", "LPIPS against PSNR", f"PSNR and LPIPS of each row on {of_set}: {words}.", figure
    )
