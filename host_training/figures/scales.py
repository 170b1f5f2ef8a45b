"""Does the gain hold on larger pictures? The same patients at several sides of HR."""

from __future__ import annotations

from host_training.data.protocol import SCALE
from host_training.evaluation.scores import METRICS
from host_training.evaluation.tables import interval_text
from host_training.figures.parts import Drawing, Part
from host_training.figures.results import Json, interval
from host_training.figures.spectrum import short
from host_training.figures.style import GREY, axes, canvas, end_labels, look_of

SHOWN = ("regression", "regression_sharpened")
OF_A_BUNDLE = ("model_1", "model_0.5", "model_0")


def by_scale(name: str, of_set: Json, bundle: str, metric: str) -> Part:
    """The gain over bicubic of one bundle's rows at each side, with intervals."""
    sides = sorted(of_set["scales"], key=int)
    rows = {row["key"]: row["title"] for side in sides for row in of_set["scales"][side]["rows"]}
    gains = {
        key: found
        for key in (*SHOWN, *(f"{bundle}/{row}" for row in OF_A_BUNDLE))
        if (found := _gains(of_set, key, metric))
    }
    title = METRICS[metric].title
    if len({side for found in gains.values() for side in found}) < 2:
        return f"No gain in {title} by scale for {bundle}: it was measured at one scale."
    figure = canvas(2.8)
    ax = axes(figure, x="side of LR to side of HR, pixels", y=f"gain over bicubic, {title}", right=1.0)
    ax.set_xticks(range(len(sides)), [f"{int(side) // SCALE} to {side}" for side in sides])
    ax.set_xlim(-0.3, len(sides) - 0.7)
    ax.grid(axis="y")
    ax.axhline(0, color=GREY, linestyle="--", linewidth=0.9)
    labels = []
    for number, (key, found) in enumerate(gains.items()):
        look, shift = look_of(key), 0.04 * (number - (len(gains) - 1) / 2)  # bars beside each other
        xs = [sides.index(side) + shift for side in found]
        means = [gain["mean"] for gain in found.values()]
        bounds = [
            [gain["mean"] - gain["low"] for gain in found.values()],
            [gain["high"] - gain["mean"] for gain in found.values()],
        ]
        face = look.colour if look.filled else "#ffffff"
        ax.errorbar(
            xs, means, bounds, fmt="o", linestyle=look.dash, color=look.colour, markerfacecolor=face, markersize=4.5
        )
        labels.append((means[-1], short(rows[key].removeprefix(f"{bundle}, ")), look.colour))
    end_labels(ax, labels)
    words = "; ".join(f"{rows[key]} {_told(found, metric)}" for key, found in gains.items())
    return Drawing(
        f"scales-{metric}-{name}-{bundle}",
        f"{bundle}, {title}",
        f"Gain over bicubic in {title} by scale on {name}: {words}.",
        figure,
    )


def _gains(of_set: Json, key: str, metric: str) -> dict[str, Json]:
    """By side, where it was measured."""
    return {
        side: found
        for side in sorted(of_set["scales"], key=int)
        for row in of_set["scales"][side]["rows"]
        if row["key"] == key and (found := interval(row.get("over_bicubic", {}).get(metric)))
    }


def _told(found: Json, metric: str) -> str:
    decimals = METRICS[metric].decimals
    return ", ".join(f"{interval_text(gain, decimals, signed=True)} at {side}" for side, gain in found.items())
