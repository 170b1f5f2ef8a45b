"""Sensitivities as an SVG: a bar a convolution, in the order of the graph; the longer, the more INT8 harms there."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from build_engines.check.accuracy import GATES
from build_engines.sensitivity.search import Sensitivity
from edge_sr.svg import BLUE, GREY, ORANGE, document, legend, line, rect, text

LEFT, PLOT_WIDTH, RIGHT = 220, 560, 90  # px: the names, the bars, the cost
HEAD, ROW, BAR, FOOT = 86, 16, 10, 16
STEP_DB = 10  # between two lines


def sensitivity_plot(
    found: Sequence[Sensitivity],
    macs: Mapping[str, int],
    *,
    high: Collection[str] = (),
    gate_db: float = GATES.psnr_db,
    title: str = "",
) -> str:
    """The SVG document. high: the convolutions that are kept out of INT8. gate_db: what the whole has to reach."""
    bottom = HEAD + ROW * len(found)
    scale = _Scale(found, gate_db)
    parts = [*_heading(title, high), *_lines(scale, gate_db, bottom)]
    for number, each in enumerate(found):
        parts += _row(each, HEAD + ROW * number, scale, macs[each.convolution], kept=each.convolution in high)
    return document(LEFT + PLOT_WIDTH + RIGHT, bottom + FOOT, parts)


class _Scale:
    """dB to pixels; best stands at the left end, worst at the right one."""

    def __init__(self, found: Sequence[Sensitivity], gate_db: float) -> None:
        values = [each.psnr_db for each in found] + [gate_db]
        self.worst = STEP_DB * int(min(values) // STEP_DB)
        self.best = STEP_DB * int(max(values) // STEP_DB + 1)

    def x(self, psnr_db: float) -> float:
        return round(LEFT + PLOT_WIDTH * (self.best - psnr_db) / (self.best - self.worst), 2)

    def marks(self) -> range:
        return range(self.worst, self.best + 1, STEP_DB)


def _heading(title: str, high: Collection[str]) -> Iterator[str]:
    yield text(10, 20, title or "What INT8 costs, one convolution at a time", 'font-size="14"')
    yield from legend((("INT8", BLUE), ("kept high", ORANGE)) if high else (("INT8", BLUE),), y=34)
    yield text(285, 43, "PSNR against float32 in dB, this convolution alone in INT8: further right is worse")


def _lines(scale: _Scale, gate_db: float, bottom: int) -> Iterator[str]:
    for psnr_db in scale.marks():
        yield line(scale.x(psnr_db), HEAD - 4, scale.x(psnr_db), bottom)
        yield text(scale.x(psnr_db), HEAD - 8, str(psnr_db), 'text-anchor="middle"')
    yield line(scale.x(gate_db), HEAD - 20, scale.x(gate_db), bottom, GREY)
    yield text(scale.x(gate_db), HEAD - 22, f"gate {gate_db:g}", 'text-anchor="middle"')
    yield text(LEFT + PLOT_WIDTH + RIGHT - 8, HEAD - 8, "10^6 MACs", 'text-anchor="end"')


def _row(each: Sensitivity, y: int, scale: _Scale, cost: int, *, kept: bool) -> Iterator[str]:
    yield text(LEFT - 6, y + 9, each.convolution, 'text-anchor="end"')
    yield rect(LEFT, y, max(scale.x(each.psnr_db) - LEFT, 0.5), BAR, ORANGE if kept else BLUE)
    yield text(LEFT + PLOT_WIDTH + RIGHT - 8, y + 9, f"{cost / 1e6:.1f}", 'text-anchor="end"')
