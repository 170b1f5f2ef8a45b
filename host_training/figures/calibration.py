"""Is the model as sure as it may be? What its seeds spread, against how far off their mean is."""

from __future__ import annotations

from dataclasses import dataclass

from host_training.evaluation.statistics import calibrated_ratio
from host_training.figures.intervals import Line, intervals, told
from host_training.figures.parts import Drawing, Part
from host_training.figures.results import Json, Results, interval
from host_training.figures.style import BLUE, CYCLE, GREY, SMALL, Look, axes, canvas

DECIMALS = 3
CLASSES = "reliability"  # the field of ``spread`` that not every record has


@dataclass(frozen=True)
class Measure:
    """A field of ``spread``. calibrated: draw the line of a calibrated model."""

    title: str
    axis: str
    calibrated: bool


MEASURES = {
    "variance_over_error": Measure("How much", "variance / squared error of the mean", calibrated=True),
    "rank_correlation": Measure("Where", "rank correlation of spread and error", calibrated=False),
}


def spread(results: Results, of_set: str, side: str, field: str) -> Part:
    """One row a bundle, single pictures as specks, the calibrated value as a dashed line."""
    measure, entries = MEASURES[field], results.metrics["sets"][of_set]["scales"][side].get("spread", {})
    lines = [
        Line(
            f"{key}, {entry['count']} seeds",
            found,
            Look(CYCLE[number % len(CYCLE)]),
            tuple(results.values(of_set, side, f"{key}/seeds", field).values()),
        )
        for number, (key, entry) in enumerate(entries.items())
        if (found := interval(entry.get(field)))
    ]
    if not lines:
        return f"No figure of the {measure.axis}: no seeds were compared."
    calibrated = max(entry["calibrated"] for entry in entries.values()) if measure.calibrated else None
    figure = intervals(lines, axis=measure.axis, decimals=DECIMALS, reference=calibrated)
    words = told(lines, DECIMALS) + (f"; a calibrated model {calibrated:.3f}" if calibrated else "")
    return Drawing(f"calibration-{field}-{of_set}", measure.title, f"{measure.axis} on {of_set}: {words}.", figure)


def reliability(of_set: str, bundle: str, entry: Json) -> Drawing:
    """Error against spread, one dot a class of pixels; a calibrated model's lie on the dashed line."""
    spreads, errors, count = entry[CLASSES]["spread"], entry[CLASSES]["error"], entry["count"]
    figure = canvas(3.2)
    ax = axes(figure, x="spread over seeds, grey levels", y="error of their mean, grey levels", right=0.8)
    last = max(*spreads, *errors) * 1.08
    slope = calibrated_ratio(count) ** -0.5  # the mean of S samples is itself uncertain
    ax.plot([0, last / slope], [0, last], color=GREY, linestyle="--", linewidth=0.9)
    ax.text(last / slope, last, " calibrated", fontsize=SMALL, va="center", clip_on=False)
    ax.plot(spreads, errors, "o-", color=BLUE, markersize=4)
    ax.set(xlim=(0, last), ylim=(0, last))
    ax.grid()
    pairs = "; ".join(f"{a:.2f} and {b:.2f}" for a, b in zip(spreads, errors, strict=True))
    return Drawing(
        f"reliability-{of_set}-{bundle}",
        f"{bundle}, error by spread",
        f"Spread and error of {len(spreads)} classes of pixels on {of_set}, grey levels: {pairs}.",
        figure,
    )
