"""A candidate against the float32 model, picture by picture: end to end, and both against the truth."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import cv2
import numpy as np

from calibration.images import CalibrationImages
from edge_sr.errors import UsageError
from edge_sr.image.consistency import area_mean
from edge_sr.image.quality import haarpsi, psnr, ssim
from edge_sr.image.radiograph import from_unit, to_unit
from edge_sr.models.base import SRModel
from edge_sr.models.seeded import seeded

FIDELITIES = (1.0, 0.5, 0.0)  # no noise, half of it, all of it
LEVEL = 1 / 255  # one grey level
LARGEST_PSNR_DB = 150.0  # of equal pictures, whose PSNR is infinite; float32 cannot tell more than this apart


@dataclass(frozen=True)
class Answer:
    """What a model makes of one picture. picture: its number. sr: (1, C, H, W) float32 in [0, 1]."""

    fidelity: float
    picture: int
    sr: np.ndarray


@dataclass(frozen=True)
class FidelityRow:
    """A candidate against the reference at one fidelity.

    psnr_db: of all pixels of all pictures. worst_psnr_db, worst_picture: of the picture that fares worst, its number.
    mean_shift: the largest difference between the means of one picture, in grey levels of 255.
    finite: no NaN or Inf. constant: the candidate is flat in some picture where the reference is not.
    """

    fidelity: float
    pictures: int
    psnr_db: float
    worst_psnr_db: float
    worst_picture: int
    mean_shift: float
    finite: bool
    constant: bool


@dataclass(frozen=True)
class TruthRow:
    """Means over pictures at one fidelity, of 8-bit pictures against the truth: psnr_db, ssim, haarpsi_med."""

    fidelity: float
    pictures: int
    reference: Mapping[str, float]
    candidate: Mapping[str, float]

    def change(self, measure: str) -> float:
        """Below 0 where the candidate is worse."""
        return self.candidate[measure] - self.reference[measure]


def end_to_end(
    reference: SRModel, candidate: SRModel, pictures: CalibrationImages, *, fidelities: Sequence[float] = FIDELITIES
) -> list[FidelityRow]:
    """Both models on the same pictures with the same noise, one row a fidelity; one row alone where they draw none.

    UsageError where the two do not take the same noise, or where there is no picture.
    """
    return compare(answers(reference, pictures, fidelities), answers(candidate, pictures, fidelities))


def answers(model: SRModel, pictures: CalibrationImages, fidelities: Sequence[float] = FIDELITIES) -> Iterator[Answer]:
    """Picture by picture, as engines of any batch can, and so that one is in memory at a time."""
    draws = model.noise_shape(*pictures.lr.shape[2:]) is not None
    for fidelity in fidelities if draws else (1.0,):
        for number, seed in enumerate(pictures.noise_seeds):
            yield Answer(fidelity, number, seeded(model, pictures.lr[number : number + 1], (seed,), fidelity))


def compare(reference: Iterable[Answer], candidate: Iterable[Answer]) -> list[FidelityRow]:
    """Answers of two models to the same questions, in the same order -> one row a fidelity."""
    tallies: dict[float, _Tally] = {}
    for expected, got in zip_longest(reference, candidate):
        if not (expected and got) or (expected.fidelity, expected.picture) != (got.fidelity, got.picture):
            raise UsageError("the two models were not asked the same", expected="the same pictures and noise")
        tallies.setdefault(expected.fidelity, _Tally()).add(expected.sr, got.sr)
    if not tallies:
        raise UsageError("no picture to check with", expected="one or more")
    return [tally.row(fidelity) for fidelity, tally in tallies.items()]


class _Tally:
    """What is known of the pictures of one fidelity."""

    def __init__(self) -> None:
        self.mean_squares: list[float] = []  # one a picture; inf where it holds NaN or Inf
        self.shifts: list[float] = []
        self.constant = False

    def add(self, expected: np.ndarray, got: np.ndarray) -> None:
        if expected.shape != got.shape:
            raise UsageError(f"a picture of {got.shape}", where="candidate", expected=str(expected.shape))
        if not (np.isfinite(got).all() and np.isfinite(expected).all()):
            self.mean_squares.append(math.inf)
            self.shifts.append(math.inf)
            return
        difference = got.astype(np.float64) - expected
        self.mean_squares.append(float(np.mean(difference**2)))
        self.shifts.append(abs(float(difference.mean())) / LEVEL)
        self.constant |= bool(np.ptp(got) < LEVEL <= np.ptp(expected))

    def row(self, fidelity: float) -> FidelityRow:
        worst = int(np.argmax(self.mean_squares))
        return FidelityRow(
            fidelity=fidelity,
            pictures=len(self.mean_squares),
            psnr_db=decibels(float(np.mean(self.mean_squares))),
            worst_psnr_db=decibels(self.mean_squares[worst]),
            worst_picture=worst,
            mean_shift=min(max(self.shifts), 255.0),
            finite=math.isfinite(self.mean_squares[worst]),
            constant=self.constant,
        )


def decibels(mean_square: float) -> float:
    """PSNR of pictures in [0, 1], from 0 (also of what is not finite) to LARGEST_PSNR_DB."""
    if not math.isfinite(mean_square):
        return 0.0
    return min(max(-10 * math.log10(mean_square), 0.0), LARGEST_PSNR_DB) if mean_square else LARGEST_PSNR_DB


def ratio_db(signal: float, noise: float) -> float:
    """Signal to noise between -LARGEST_PSNR_DB, also where either is not finite, and LARGEST_PSNR_DB."""
    if not (math.isfinite(signal) and math.isfinite(noise)):
        return -LARGEST_PSNR_DB
    if not noise:
        return LARGEST_PSNR_DB
    return max(-LARGEST_PSNR_DB, min(LARGEST_PSNR_DB, 10 * math.log10(signal / noise))) if signal else -LARGEST_PSNR_DB


def against_truth(
    reference: SRModel, candidate: SRModel, hr: np.ndarray, *, fidelities: Sequence[float] = FIDELITIES
) -> list[TruthRow]:
    """What either model loses against the truth, one row a fidelity.

    hr: (n, C, H, W) float32 in [0, 1]. LR is its area mean in 8 bits, and scores are of 8-bit pictures.
    """
    pictures = lr_of(hr, reference.scale)
    truth = [from_unit(each[None], 8) for each in hr]
    scores = [_mean_scores(answers(model, pictures, fidelities), truth) for model in (reference, candidate)]
    if list(scores[0]) != list(scores[1]):
        raise UsageError("the two models were not asked the same", expected="the same pictures and noise")
    return [TruthRow(fidelity, len(hr), scores[0][fidelity], scores[1][fidelity]) for fidelity in scores[0]]


def lr_of(hr: np.ndarray, scale: int) -> CalibrationImages:
    """The area means in 8 bits of (n, C, H, W) HR pictures, in their order, with noise seeds of their own."""
    lr = np.concatenate([to_unit(from_unit(area_mean(each[None], scale), 8)) for each in hr])
    digests = [hashlib.sha256(tile.tobytes()).hexdigest() for tile in lr]
    whole = hashlib.sha256(lr.tobytes()).hexdigest()
    return CalibrationImages(lr, whole, tuple(int(digest[:12], 16) for digest in digests))


def _mean_scores(given: Iterable[Answer], truth: Sequence[np.ndarray]) -> dict[float, dict[str, float]]:
    """fidelity -> measure -> mean over pictures."""
    scores: dict[float, list[dict[str, float]]] = {}
    for answer in given:
        sr = from_unit(np.nan_to_num(answer.sr, posinf=1, neginf=0), 8)  # end_to_end tells of NaN
        scores.setdefault(answer.fidelity, []).append(_scores(sr, truth[answer.picture]))
    return {
        fidelity: {measure: float(np.mean([one[measure] for one in of_pictures])) for measure in of_pictures[0]}
        for fidelity, of_pictures in scores.items()
    }


def _scores(sr: np.ndarray, hr: np.ndarray) -> dict[str, float]:
    """sr, hr: (H, W) uint8, or in colour (H, W, 3), which are scored by their luma."""
    sr, hr = (cv2.cvtColor(each, cv2.COLOR_RGB2GRAY) if each.ndim == 3 else each for each in (sr, hr))
    return {
        "psnr_db": min(psnr(sr, hr), LARGEST_PSNR_DB),
        "ssim": ssim(sr, hr),
        "haarpsi_med": haarpsi(sr, hr),
    }
