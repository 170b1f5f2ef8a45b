"""The integers of one result, filled from top to bottom, so that its numbers are never all in memory."""

from __future__ import annotations

import numpy as np

from edge_sr.image.consistency import project, rmse_of, squared_error
from edge_sr.image.radiograph import Radiograph, from_unit, to_unit
from edge_sr.models.base import SRModel
from edge_sr.pipeline.draws import Draws
from edge_sr.pipeline.provenance import provenance_of
from edge_sr.pipeline.result import SRResult
from edge_sr.pipeline.samples import Moments

AT_ONCE = 1 << 17  # float32 numbers; what projection and rounding keep beside them stays in a processor's cache


class Canvas:
    """One picture's result in the making; projected: whether each band is made consistent with LR first."""

    def __init__(self, radiograph: Radiograph, model: SRModel, draws: Draws, *, projected: bool) -> None:
        self._radiograph, self._model, self._draws = radiograph, model, draws
        self._projected = projected
        self._squares = 0.0  # of mean(sr) - lr so far, see squared_error
        height, width = (side * model.scale for side in radiograph.pixels.shape[:2])
        self._pixels = np.empty((height, width, *radiograph.pixels.shape[2:]), radiograph.pixels.dtype)
        self._spread = np.empty((height, width), np.float32) if draws.samples > 1 else None
        self._moments: list[Moments] = []  # of the parts of the band at work

    def add(self, top: int, band: np.ndarray, sample: int = 0) -> None:
        """The numbers of some rows, (1, C, rows*scale, W*scale) from LR row ``top`` on; all samples of a band in turn.

        EdgeSRError on NaN or Inf.
        """
        scale, rows = self._model.scale, band.shape[2] // self._model.scale
        at_once = max(1, AT_ONCE // (band.shape[1] * band.shape[3] * scale))
        for part, start in enumerate(range(0, rows, at_once)):
            numbers = band[:, :, start * scale : (start + at_once) * scale]
            if self._projected:
                lr_rows = self._lr(top + start, numbers.shape[2] // scale)
                numbers = project(numbers, for_channels(to_unit(lr_rows), band.shape[1]), scale=scale)
            if self._draws.samples == 1:
                self._settle(top + start, numbers)
            else:
                self._join(top + start, numbers, sample, part)

    def _lr(self, top: int, rows: int) -> np.ndarray:
        return self._radiograph.pixels[top : top + rows]

    def _join(self, top: int, numbers: np.ndarray, sample: int, part: int) -> None:
        """One sample of some rows; with the last one they are done."""
        if sample == 0:
            self._moments[part:] = [Moments(numbers)]
            return
        moments = self._moments[part]
        moments.add(numbers)
        if sample == self._draws.samples - 1:
            assert self._spread is not None
            start = top * self._model.scale
            self._spread[start : start + numbers.shape[2]] = moments.deviation[0, 0]
            self._settle(top, moments.mean)

    def _settle(self, top: int, numbers: np.ndarray) -> None:
        """(1, C, rows*scale, W*scale) to the pixels they are."""
        if self._pixels.ndim == 2 and numbers.shape[1] > 1:
            numbers = numbers.mean(axis=1, keepdims=True)  # what came in grey goes out grey
        start, scale = top * self._model.scale, self._model.scale
        pixels = self._pixels[start : start + numbers.shape[2]]
        pixels[:] = from_unit(numbers, self._radiograph.bit_depth)
        self._squares += squared_error(pixels, self._lr(top, len(pixels) // scale))

    def result(self) -> SRResult:
        """Once every row is there."""
        radiograph, pixels = self._radiograph, self._pixels
        lr_rmse = rmse_of(self._squares, radiograph.pixels)
        provenance = provenance_of(radiograph, self._model, self._draws, lr_rmse=lr_rmse)
        if radiograph.chroma is not None:
            from edge_sr.image.chroma import with_chroma  # here, because a grey picture does not need its import time

            pixels = with_chroma(pixels, radiograph.chroma)
        return SRResult(pixels, provenance, self._spread)


def for_channels(lr: np.ndarray, channels: int) -> np.ndarray:
    """(1, 1 or 3, h, w) -> (1, channels, h, w): grey is repeated."""
    return lr if lr.shape[1] == channels else lr.repeat(channels, axis=1)
