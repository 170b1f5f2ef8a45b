"""Where the model gains least: every picture's gain over bicubic in order."""

from __future__ import annotations

from host_training.figures.parts import Drawing, Part
from host_training.figures.results import Results
from host_training.figures.style import BLUE, GREY, ORANGE, axes, canvas


def gains(results: Results, of_set: str, side: str, bundle: str) -> Part:
    """PSNR at fidelity 1 minus bicubic's, one dot a picture, losses in another colour."""
    rows = (f"{bundle}/model_1", "bicubic")
    model, bicubic = (results.values(of_set, side, row, "psnr_db") for row in rows)
    values = sorted(model[picture] - bicubic[picture] for picture in model.keys() & bicubic.keys())
    if not values:
        return f"No gain picture by picture of {bundle}: per-image.csv does not hold it."
    figure = canvas(2.6)
    ax = axes(figure, x="pictures, in the order of their gain", y="gain over bicubic, dB")
    colours = [ORANGE if value < 0 else BLUE for value in values]
    ax.scatter(range(1, len(values) + 1), values, s=9, c=colours, linewidths=0)
    ax.axhline(0, color=GREY, linestyle="--", linewidth=0.9)
    ax.locator_params(axis="x", integer=True, nbins=5)
    ax.grid(axis="y")
    lost = sum(value < 0 for value in values)
    words = f"{lost} of {len(values)} pictures lose; the least is {values[0]:+.2f} dB, the largest {values[-1]:+.2f} dB"
    return Drawing(
        f"gains-{of_set}-{bundle}", f"{bundle}: {lost} of {len(values)} below bicubic", f"{words}, {of_set}.", figure
    )
