"""What is done on the validation split before a set is measured."""

from __future__ import annotations

import numpy as np
from tqdm import tqdm

from host_training.data.contact_sheet import contact_sheet
from host_training.evaluation.pictures import fitting_set
from host_training.evaluation.request import Request
from host_training.evaluation.rows import regressed
from host_training.evaluation.sharpening import fit_gains

SHEET = 6  # pictures of the augmentation sheet


def sharpening_gains(
    wanted: Request, word: str, side: int, known: dict[tuple[str, int], np.ndarray] | None = None
) -> np.ndarray | None:
    """The gains of the sharpened row, fitted on the validation split beside the set; None where there is none.

    known: those of earlier calls, to which these are added.
    """
    known = {} if known is None else known
    pictures = fitting_set(wanted.data_dir, word, limit=wanted.limit)
    if wanted.regression is None or pictures is None or pictures.side < side:
        return None
    key = (pictures.split_sha256, side)
    if key not in known:
        numbers = tqdm(range(len(pictures)), desc=f"fitting the sharpening at {side}", unit="picture", disable=None)
        with wanted.quiet_backend().open(wanted.regression) as session:
            samples = (pictures.sample(number, side) for number in numbers)
            known[key] = fit_gains((255 * regressed(session, sample)[0, 0], sample.hr) for sample in samples)
    return known[key]


def augmentation_sheet(wanted: Request) -> np.ndarray | None:
    """What training makes of some pictures of the validation split, (H, W) uint8; None where there is none."""
    pictures = fitting_set(wanted.data_dir, wanted.sets[0], limit=SHEET)
    if pictures is None or pictures.degradation != "area":
        return None
    return contact_sheet([pictures.pair(number, pictures.side)[0] for number in range(len(pictures))])
