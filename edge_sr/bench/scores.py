"""The figures of single pictures: against HR, and against what float32 makes of them."""

from __future__ import annotations

import math

import numpy as np

from edge_sr.backends.base import Session
from edge_sr.bench.bootstrap import Interval, patient_bootstrap
from edge_sr.bench.schema import DECILES, AgainstFloat32
from edge_sr.image.consistency import lr_rmse
from edge_sr.image.quality import haarpsi, lpips, psnr, ssim

PSNR_OF_EQUAL_DB = 100.0  # counted where a picture equals HR; one pixel off by one level gives 96.3
LEVELS = 256


def score(sr: np.ndarray, hr: np.ndarray, lr: np.ndarray, *, lpips_session: Session | None = None) -> dict[str, float]:
    """By schema.METRICS. sr, hr: (H, W), lr: (H / scale, W / scale), all uint8 or all uint16."""
    grey_sr, grey_hr = grey_levels(sr), grey_levels(hr)
    figures = {
        "psnr_db": min(psnr(grey_sr, grey_hr), PSNR_OF_EQUAL_DB),
        "ssim": ssim(grey_sr, grey_hr),
        "haarpsi_med": haarpsi(grey_sr, grey_hr),
    }
    if lpips_session is not None:
        figures["lpips"] = lpips(lpips_session, grey_sr, grey_hr)
    return {**figures, "lr_rmse": lr_rmse(sr, lr), "mean_shift": float(np.mean(grey_sr) - np.mean(grey_hr))}


def grey_levels(pixels: np.ndarray) -> np.ndarray:
    """float64 on 0..255."""
    levels: np.ndarray = pixels.astype(np.float64) * (255.0 / np.iinfo(pixels.dtype).max)
    return levels


class Shifts:
    """How one variant's pictures differ from those of float32, picture by picture."""

    def __init__(self) -> None:
        self.means: list[float] = []
        self._squares, self._pixels = 0.0, 0
        self._sums, self._counts = np.zeros(LEVELS), np.zeros(LEVELS)  # by the grey level that float32 has

    def add(self, sr: np.ndarray, float32: np.ndarray) -> None:
        """(H, W) each, of one integer type."""
        before = grey_levels(float32)
        difference = grey_levels(sr) - before
        levels = np.rint(before).astype(np.int64).ravel()
        self.means.append(float(difference.mean()))
        self._squares += float(np.sum(difference**2))
        self._pixels += difference.size
        self._sums += np.bincount(levels, weights=difference.ravel(), minlength=LEVELS)
        self._counts += np.bincount(levels, minlength=LEVELS)

    def told(self, patients: list[str]) -> AgainstFloat32:
        mean_square = self._squares / self._pixels
        psnr_db = 10 * math.log10(255.0**2 / mean_square) if mean_square else None
        return AgainstFloat32(
            psnr_db=None if psnr_db is None else round(psnr_db, 3),
            mean_shift=rounded(patient_bootstrap(np.array(self.means), patients)),
            shift_by_decile=self.by_decile(),
        )

    def by_decile(self) -> tuple[float | None, ...]:
        """A grey level belongs to the tenth in which the middle of its pixels lies: where many pixels share one level,
        as in a black border, some tenths are empty.
        """
        middle = (np.cumsum(self._counts) - self._counts / 2) / self._counts.sum()
        tenth = np.minimum((middle * DECILES).astype(int), DECILES - 1)
        sums = np.bincount(tenth, weights=self._sums, minlength=DECILES)
        counts = np.bincount(tenth, weights=self._counts, minlength=DECILES)
        return tuple(round(float(s / n), 4) if n else None for s, n in zip(sums, counts, strict=True))


def rounded(interval: Interval) -> Interval:
    return Interval(**interval.to_json())
