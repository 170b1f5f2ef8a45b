from __future__ import annotations

import cv2
import numpy as np
import pytest

from edge_sr.image.chroma import ROWS, with_chroma


@pytest.mark.parametrize("height", [8, ROWS, ROWS + 1, 3 * ROWS - 1])
def test_some_rows_at_a_time_as_at_once(height: int) -> None:
    random = np.random.default_rng(0)
    luma = random.integers(0, 256, (4 * height, 160), np.uint8)
    chroma = random.integers(0, 256, (height, 40, 2), np.uint8)
    whole = np.dstack([luma, cv2.resize(chroma, luma.shape[::-1], interpolation=cv2.INTER_CUBIC)])
    np.testing.assert_array_equal(with_chroma(luma, chroma), cv2.cvtColor(whole, cv2.COLOR_YCrCb2RGB))
