"""The models that ship, on real radiographs that their training never saw."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.quality import haarpsi, psnr
from edge_sr.image.radiograph import Radiograph, from_unit, to_unit
from edge_sr.models import load_model
from edge_sr.pipeline import upscale
from host_training.data.protocol import hr_of, lr_of, pictures_of

DATA = os.environ.get("EDGE_SR_DATA", "")
PICTURES = 16


@pytest.mark.skipif(not DATA, reason="EDGE_SR_DATA names no folder of radiographs")
@pytest.mark.parametrize(("name", "least_db", "least_haarpsi"), [("default", 1.5, 0.08), ("fast", 2.4, 0.12)])
def test_it_is_well_above_bicubic_on_held_out_patients(name: str, least_db: float, least_haarpsi: float) -> None:
    gains_db, gains_haarpsi = [], []
    with load_model(name, threads=1) as model:
        for picture in pictures_of(Path(DATA), "test")[:: 130 // PICTURES]:
            hr = hr_of(picture.path)
            lr = lr_of(hr)
            sr = upscale(Radiograph(lr, 8, "0" * 64, "", None), model).pixels
            bicubic = from_unit(upsample_bicubic(to_unit(lr)), 8)
            gains_db.append(psnr(sr, hr) - psnr(bicubic, hr))
            gains_haarpsi.append(haarpsi(sr, hr) - haarpsi(bicubic, hr))
    assert len(gains_db) >= PICTURES
    assert np.mean(gains_db) >= least_db
    assert np.mean(gains_haarpsi) >= least_haarpsi
