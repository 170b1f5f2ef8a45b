from __future__ import annotations

import numpy as np
import pytest

from edge_sr.models.bicubic import Bicubic


@pytest.mark.parametrize("size", [(64, 64), (9, 50)])
def test_any_size_grows_fourfold_and_stays_in_range(size: tuple[int, int]) -> None:
    lr = np.random.default_rng(0).integers(0, 2, (2, 1, *size)).astype(np.float32)
    sr = Bicubic()(lr, noise=None, fidelity=1.0)
    assert sr.shape == (2, 1, size[0] * 4, size[1] * 4)
    assert sr.min() == 0 and sr.max() == 1


def test_a_flat_picture_stays_flat() -> None:
    sr = Bicubic()(np.full((1, 1, 16, 16), 0.3, np.float32), noise=None, fidelity=1.0)
    np.testing.assert_allclose(sr, 0.3, rtol=1e-6)
