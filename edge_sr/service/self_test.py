"""Before the first picture: a synthetic one through the whole chain, so that READY means that pictures come out."""

from __future__ import annotations

import os

import numpy as np

from edge_sr.errors import IntegrityError
from edge_sr.image.consistency import lr_rmse
from edge_sr.image.png import encode_png
from edge_sr.service.work import Decoder, Work
from edge_sr.timing import Phases

SIDE = 64
MOST_LR_RMSE = 32.0  # grey levels; noise in a picture's place is at 60 and more, the worst model in use below 8


def self_test(work: Work, decoder: Decoder) -> None:
    """Decode, compute and encode a phantom. IntegrityError where what comes out cannot be its enlargement."""
    from edge_sr.image.phantom import chest_phantom

    lr = chest_phantom(SIDE, seed=0, bit_depth=8)  # (64, 64) uint8
    descriptor = os.memfd_create("self-test", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, encode_png(lr, text={}))
        radiograph = decoder.decode(descriptor)
    finally:
        os.close(descriptor)
    (result,) = work([radiograph], Phases())
    work.encode(result)
    check(lr, result.pixels, scale=work.scale)


def check(lr: np.ndarray, sr: np.ndarray, *, scale: int) -> None:
    """lr: (h, w) uint8. sr: what was made of it."""
    if sr.shape != (SIDE * scale, SIDE * scale) or sr.dtype != np.uint8:
        found = f"{sr.dtype}{list(sr.shape)}"
        raise IntegrityError(f"the self-test picture came out as {found}", where="model", hint="edge-sr engines verify")
    rmse = float(lr_rmse(sr, lr))
    if rmse > MOST_LR_RMSE:
        raise IntegrityError(
            f"the self-test picture came out wrong, {rmse:.0f} grey levels off",
            where="model",
            expected=f"at most {MOST_LR_RMSE:.0f}",
            hint="edge-sr engines verify, then edge-sr build",
        )
