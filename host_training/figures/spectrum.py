"""Does the texture have the right energy? Radial spectra, divided by the truth's."""

from __future__ import annotations

import math

from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from host_training.data.protocol import SCALE
from host_training.figures.parts import Drawing, Part
from host_training.figures.results import Json
from host_training.figures.style import GREY, INK, SMALL, axes, canvas, end_labels, look_of

BASELINES = ("bicubic", "regression", "regression_sharpened")
OF_A_BUNDLE = ("model_1", "model_0.5", "model_0", "autoencoder")
LEAST = 0.01  # of the truth's energy; below it a line leaves the figure
TICKS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)


def spectrum(of_set: str, side: str, scale: Json, bundle: str) -> Part:
    """Energy by frequency of one bundle's rows, among the rows without one."""
    radial = {
        key: [value if is_shown(value) else math.nan for value in scale["spectrum"]["rows"][key]["radial"]]
        for key in (*BASELINES, *(f"{bundle}/{row}" for row in OF_A_BUNDLE))
        if key in scale.get("spectrum", {}).get("rows", {})
    }
    if not radial:
        return f"No spectrum of {bundle} at {side}: none was measured."
    figure = canvas(3.0)
    ax = axes(figure, x="cycles a picture", y="energy / that of HR", right=1.0, top=0.6)
    last = int(side) // 2
    ax.set(xscale="log", yscale="log", xlim=(2, last), ylim=(LEAST, 3))
    octaves = [2**i for i in range(1, 16) if 2**i <= last]
    for axis, ticks in ((ax.xaxis, octaves), (ax.yaxis, TICKS)):
        axis.set_major_locator(FixedLocator(list(ticks)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.grid()
    ax.axhline(1, color=INK, linewidth=0.9)
    limit = int(side) / SCALE / 2  # the last frequency that LR can hold
    ax.axvline(limit, color=GREY, linestyle="--", linewidth=0.9)
    ax.text(limit, 3.2, "LR ends", color=INK, fontsize=SMALL, ha="center", va="bottom")
    titles = {row["key"]: row["title"].removeprefix(f"{bundle}, ") for row in scale["rows"]}
    labels = []
    for key, values in radial.items():
        look = look_of(key)
        ax.plot(range(len(values)), values, color=look.colour, linestyle=look.dash, linewidth=1.3)
        ends = [value for value in values[: last + 1] if value >= LEAST]
        labels.append((ends[-1] if ends else LEAST, short(titles[key]), look.colour))
    end_labels(ax, labels)
    rings = scale["spectrum"]["rings"]
    words = "; ".join(f"{titles[key]} {_rings(scale['spectrum']['rows'][key])}" for key in radial)
    spans = ", ".join(f"{low} to {high}" for low, high in rings)
    return Drawing(
        f"spectrum-{of_set}-{side}-{bundle}",
        f"{bundle}, {int(side) // SCALE} to {side}",
        f"Energy divided by that of HR in the rings {spans} cycles, {of_set} at {side}: {words}.",
        figure,
    )


def is_shown(value: float) -> bool:
    """A logarithm has no place for the rest."""
    return math.isfinite(value) and value > 0


def short(title: str) -> str:
    """As much of a row's title as the margin holds."""
    return title.partition(" (")[0].replace("regression net, rings ", "").replace("autoencoder round trip", "ceiling")


def _rings(of_row: Json) -> str:
    return ", ".join(f"{share:.2f}" for share in of_row["energy_ratio"])
