from __future__ import annotations

import numpy as np
import pytest

from host_training.evaluation.spectrum import octave_energies, octaves, ratio, ring_energies, ring_of


def cosine(cycles: float, side: int = 256) -> np.ndarray:
    """Along x, its phase such that mirroring at the borders adds nothing: one coefficient of the DCT-II."""
    x = np.arange(side) + 0.5
    return np.broadcast_to(np.cos(2 * np.pi * cycles * x / side), (side, side))


def test_rings_count_cycles_a_picture() -> None:
    rings = ring_of(256)
    assert (rings[0, 0], rings[0, 2], rings[20, 0]) == (0, 1, 10)
    assert rings.max() == round(255 * 2**0.5 / 2)


@pytest.mark.parametrize("cycles", [1, 40, 100])
def test_a_wave_has_its_energy_in_its_own_ring(cycles: int) -> None:
    energies = ring_energies(cosine(cycles))
    assert energies.argmax() == cycles
    assert energies[cycles] == pytest.approx(energies.sum())


def test_all_energy_is_counted_once() -> None:
    picture = np.random.default_rng(0).uniform(0, 255, (256, 256))
    assert ring_energies(picture).sum() == pytest.approx((picture**2).sum())  # Parseval: the DCT is orthonormal


def test_the_octaves_follow_the_side() -> None:
    assert octaves(256) == [(16, 32), (32, 64), (64, 128)]
    assert octaves(512) == [(32, 64), (64, 128), (128, 256)]


def test_an_octave_begins_at_its_lower_end_and_stops_before_its_upper() -> None:
    energies = np.stack([ring_energies(cosine(cycles)) for cycles in (31, 32)])
    found = octave_energies(energies, 256)
    assert found[0, 0] > 0 and found[0, 1] == pytest.approx(0, abs=1e-9)
    assert found[1, 1] > 0 and found[1, 0] == pytest.approx(0, abs=1e-9)


def test_a_ring_that_the_truth_lacks_counts_as_right() -> None:
    assert ratio(np.array([2.0, 3.0]), np.array([4.0, 0.0])).tolist() == [0.5, 1.0]
