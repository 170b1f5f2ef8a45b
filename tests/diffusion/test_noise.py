"""Noise that depends on nothing but seed, step and place."""

from __future__ import annotations

import math

import numpy as np
import pytest

from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import UsageError

GOLDEN = {  # (channel, y, x) of seed 7, step 1; the last three lie in other blocks than the first four
    (0, 0, 0): -0.5066578388214111,
    (0, 0, 1): -0.47354385256767273,
    (1, 0, 0): -0.34150564670562744,
    (0, 31, 31): 0.9203478693962097,
    (0, 31, 32): 0.46618226170539856,
    (1, 39, 69): 0.27861303091049194,
}


def philox_words(counter: list[int], key: list[int]) -> list[int]:
    """Four words of Philox4x64-10, written out from Salmon et al. 2011, section 4.3."""
    mask = 2**64 - 1
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * counter[0], 0xCA5A826395121157 * counter[2]
        counter = [
            (second >> 64) ^ counter[1] ^ key[0],
            second & mask,
            (first >> 64) ^ counter[3] ^ key[1],
            first & mask,
        ]
        key = [(key[0] + 0x9E3779B97F4A7C15) & mask, (key[1] + 0xBB67AE8584CAA73B) & mask]
    return counter


def test_golden_values() -> None:
    field = noise_field(7, (2, 40, 70), step=1)
    assert field.dtype == np.float32
    assert field.shape == (1, 2, 40, 70)
    for place, value in GOLDEN.items():
        assert field[0][place] == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(("channel", "y", "x"), [(0, 0, 0), (1, 39, 69), (3, 32, 5)])
def test_a_value_follows_from_its_place_by_the_written_rule(channel: int, y: int, x: int) -> None:
    seed, step = 2**64 - 3, 12
    position = channel * 1024 + (y % 32) * 32 + x % 32
    words = philox_words([1 + position // 4, step, y // 32, x // 32], [seed, 0])
    high, low = divmod(words[position % 4], 2**32)
    expected = math.sqrt(-2 * math.log((high + 1) / 2**32)) * math.cos(2 * math.pi * low / 2**32)
    assert noise_field(seed, (4, 40, 70), step=step)[0, channel, y, x] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 1), (4, 32, 32), (2, 33, 31), (3, 64, 65), (6, 70, 10)])
def test_a_field_agrees_with_any_other_at_the_same_places(shape: tuple[int, int, int]) -> None:
    channels, height, width = shape
    whole = noise_field(3, (6, 80, 90))
    np.testing.assert_array_equal(noise_field(3, shape), whole[:, :channels, :height, :width])


def test_it_is_standard_normal() -> None:
    values = noise_field(0, (4, 500, 500)).ravel().astype(np.float64)  # standard error of the mean: 0.001
    assert abs(values.mean()) < 0.004
    assert abs(values.var() - 1) < 0.006
    assert abs(np.mean(values**3)) < 0.01
    assert abs(np.mean(values**4) / values.var() ** 2 - 3) < 0.02
    assert abs(np.mean(np.abs(values) < 1) - math.erf(1 / math.sqrt(2))) < 0.002


@pytest.mark.parametrize("lag", [(0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, 32), (0, 32, 0)])
def test_neighbours_are_uncorrelated(lag: tuple[int, int, int]) -> None:
    field = noise_field(1, (4, 256, 256))[0].astype(np.float64)
    c, y, x = lag
    here = field[: 4 - c, : 256 - y, : 256 - x]
    there = field[c:, y:, x:]
    assert abs(np.corrcoef(here.ravel(), there.ravel())[0, 1]) < 0.01


@pytest.mark.parametrize("other", [{"seed": 6}, {"step": 1}, {"seed": 2**63 + 5}, {"step": 2**32}])
def test_another_seed_or_step_is_another_field(other: dict[str, int]) -> None:
    first = noise_field(5, (2, 64, 64)).ravel()
    second = noise_field(other.get("seed", 5), (2, 64, 64), step=other.get("step", 0)).ravel()
    assert not np.intersect1d(first, second).size > 20  # float32 normals meet by chance a few times in 8,192
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.05


def test_blocks_do_not_repeat_each_other() -> None:
    field = noise_field(2, (1, 64, 96))[0, 0]
    blocks = field.reshape(2, 32, 3, 32).transpose(0, 2, 1, 3).reshape(6, -1)
    correlation = np.corrcoef(blocks) - np.eye(6)
    assert np.abs(correlation).max() < 0.15


@pytest.mark.parametrize(
    ("seed", "step", "shape"),
    [(-1, 0, (1, 8, 8)), (2**64, 0, (1, 8, 8)), (0, -1, (1, 8, 8)), (0, 0, (0, 8, 8)), (0, 0, (8, 8))],
)
def test_impossible_requests_are_refused(seed: int, step: int, shape: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError):
        noise_field(seed, shape, step=step)


@pytest.mark.parametrize("origin", [(0, 0), (0, 40), (31, 32), (100, 7)])
def test_a_part_of_a_field_can_be_had_by_itself(origin: tuple[int, int]) -> None:
    top, left = origin
    whole = noise_field(3, (4, 140, 80), step=2)
    np.testing.assert_array_equal(
        noise_field(3, (4, 40, 33), step=2, origin=origin), whole[..., top : top + 40, left : left + 33]
    )


def test_a_part_before_the_field_is_refused() -> None:
    with pytest.raises(UsageError, match="origin"):
        noise_field(0, (1, 8, 8), origin=(-1, 0))
