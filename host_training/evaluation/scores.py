"""The figures of one picture, and of every picture of a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sr.backends.base import Session
from edge_sr.image.consistency import lr_rmse
from edge_sr.image.quality import haarpsi, lpips, psnr, ssim
from host_training.evaluation.pictures import PictureSet
from host_training.evaluation.rows import Produce
from host_training.evaluation.spectrum import ring_energies
from host_training.evaluation.statistics import spread_error_correlation, variance_over_error

PSNR_OF_EQUAL_DB = 100.0  # counted where a picture equals HR; one pixel off by one level gives 96.3


@dataclass(frozen=True)
class Metric:
    """A column of the table."""

    title: str
    decimals: int


METRICS = {
    "psnr_db": Metric("PSNR, dB", 2),
    "ssim": Metric("SSIM", 4),
    "haarpsi_med": Metric("HaarPSI_MED", 4),
    "lpips": Metric("LPIPS", 4),
    "lr_rmse": Metric("LR-RMSE", 3),
}

Scores = dict[str, np.ndarray]
"""Metric -> (n,) float64, one figure a picture. lpips is not in it where its network was not there."""


def score_row(
    produce: Produce, pictures: PictureSet, side: int, lpips_session: Session | None
) -> tuple[Scores, np.ndarray]:
    """Every figure of every picture at an HR of ``side`` pixels, and (n, rings) energies; no picture is kept."""
    figures, energies = [], []
    for number in range(len(pictures)):
        sample = pictures.sample(number, side)
        sr = produce(sample)
        figures.append(score(sr, sample.hr, sample.lr, lpips_session=lpips_session))
        energies.append(ring_energies(sr))
    return collected(figures), np.stack(energies)


def energies_of_hr(pictures: PictureSet, side: int) -> np.ndarray:
    """(n, rings)."""
    return np.stack([ring_energies(pictures.pair(number, side)[0]) for number in range(len(pictures))])


def collected(figures: Iterable[Mapping[str, float]]) -> Scores:
    """From one mapping a picture to one array a metric."""
    each = list(figures)
    return {name: np.array([of_picture[name] for of_picture in each]) for name in each[0]}


def score(sr: np.ndarray, hr: np.ndarray, lr: np.ndarray, *, lpips_session: Session | None = None) -> dict[str, float]:
    """sr, hr: (H, W) uint8, lr: (H / 4, W / 4) uint8."""
    figures = {
        "psnr_db": min(psnr(sr, hr), PSNR_OF_EQUAL_DB),
        "ssim": ssim(sr, hr),
        "haarpsi_med": haarpsi(sr, hr),
    }
    if lpips_session is not None:
        figures["lpips"] = lpips(lpips_session, sr, hr)
    return figures | {"lr_rmse": lr_rmse(sr, lr)}


def spread_of(seeds: Sequence[Produce], pictures: PictureSet, side: int) -> Scores:
    """What several seeds of one model say about each other; in 8 bit, as all else."""
    figures = []
    for number in range(len(pictures)):
        sample = pictures.sample(number, side)
        samples = np.stack([produce(sample) for produce in seeds])  # (S, H, W)
        figures.append(
            {
                "variance_over_error": variance_over_error(samples, sample.hr),
                "rank_correlation": spread_error_correlation(samples, sample.hr),
            }
        )
    return collected(figures)
