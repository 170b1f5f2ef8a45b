"""The figures of one picture, and of every picture of a row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sr.backends.base import Session
from edge_sr.image.consistency import lr_rmse
from edge_sr.image.quality import haarpsi, lpips, psnr, ssim
from host_training.evaluation.pictures import PictureSet, batches, to_eight_bits
from host_training.evaluation.rows import Produce
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
    "lpips": Metric("LPIPS (squeeze, v0.1)", 4),
    "lr_rmse": Metric("LR-RMSE, levels", 3),
}

Scores = dict[str, np.ndarray]
"""Metric -> (n,) float64, one figure a picture. lpips is not in it where its network was not there."""


def produced(produce: Produce, pictures: PictureSet) -> np.ndarray:
    """The pictures of one row as the product would write them: (n, 256, 256) uint8."""
    return np.concatenate([to_eight_bits(produce(batch)) for batch in batches(pictures)])


def score_all(sr: np.ndarray, pictures: PictureSet, lpips_session: Session | None) -> Scores:
    """sr: (n, 256, 256) uint8."""
    triples = zip(sr, pictures.hr, pictures.lr, strict=True)
    each = [score(*triple, lpips_session=lpips_session) for triple in triples]
    return {name: np.array([figures[name] for figures in each]) for name in each[0]}


def score(sr: np.ndarray, hr: np.ndarray, lr: np.ndarray, *, lpips_session: Session | None = None) -> dict[str, float]:
    """sr, hr: (256, 256) uint8, lr: (64, 64) uint8."""
    figures = {
        "psnr_db": min(psnr(sr, hr), PSNR_OF_EQUAL_DB),
        "ssim": ssim(sr, hr),
        "haarpsi_med": haarpsi(sr, hr),
    }
    if lpips_session is not None:
        figures["lpips"] = lpips(lpips_session, sr, hr)
    return figures | {"lr_rmse": lr_rmse(sr, lr)}


def spread_all(rows: Sequence[Produce], pictures: PictureSet) -> Scores:
    """What several seeds of one model, a row each, say about each other; in 8 bit, as all else."""
    ratios, correlations = [], []
    for samples, hr in zip(_samples(rows, pictures), pictures.hr, strict=True):
        ratios.append(variance_over_error(samples, hr))
        correlations.append(spread_error_correlation(samples, hr))
    return {"variance_over_error": np.array(ratios), "rank_correlation": np.array(correlations)}


def _samples(rows: Sequence[Produce], pictures: PictureSet) -> Iterator[np.ndarray]:
    """Picture by picture: (S, 256, 256) uint8."""
    for batch in batches(pictures):
        yield from np.stack([to_eight_bits(produce(batch)) for produce in rows], axis=1)
