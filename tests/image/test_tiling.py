from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.image.tiling import Mosaic, TilePlan, blend, cut, plan_tiles

SIZES = [(8, 8), (13, 63), (64, 64), (65, 64), (66, 114), (300, 200), (1000, 37), (113, 127)]


def _field(height: int, width: int, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).random((1, channels, height, width), np.float32)


def _nearest(field: np.ndarray, scale: int = 4) -> np.ndarray:
    return field.repeat(scale, axis=2).repeat(scale, axis=3)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_upsampled_tiles_blend_back_exactly(height: int, width: int) -> None:
    field, plan = _field(height, width), plan_tiles(height, width)
    np.testing.assert_array_equal(blend(_nearest(cut(field, plan)), plan), _nearest(field))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_smooth_function_of_place_has_no_seams(height: int, width: int) -> None:
    y, x = np.mgrid[0:height, 0:width]
    field = (np.sin(x / 9.0) * np.cos(y / 7.0) + x / 50.0)[None, None].astype(np.float32)
    plan = plan_tiles(height, width)
    joined = blend(_nearest(cut(field, plan)), plan)
    np.testing.assert_array_equal(joined, _nearest(field))


@pytest.mark.parametrize(("height", "width"), [(300, 200), (66, 114), (65, 64), (64, 1000)])
def test_tiles_that_disagree_are_faded_into_each_other(height: int, width: int) -> None:
    plan = plan_tiles(height, width)
    brightness = np.random.default_rng(1).random(len(plan.origins)).astype(np.float32)
    tiles = np.broadcast_to(brightness[:, None, None, None], (len(plan.origins), 1, 256, 256))
    joined = blend(tiles, plan)[0, 0]
    assert joined.min() >= brightness.min() and joined.max() <= brightness.max()
    # The steepest step of a raised cosine over the least overlap, 64 SR pixels, between 0 and 1: pi / 2 / 64.
    assert max(np.abs(np.diff(joined, axis=axis)).max() for axis in (0, 1)) <= np.pi / 128


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_weights_of_every_pixel_sum_to_1(height: int, width: int) -> None:
    plan = plan_tiles(height, width)
    tiles = np.arange(len(plan.origins))
    total = sum(
        blend(
            (tiles == index).astype(np.float64)[:, None, None, None] * np.ones((1, 1, 256, 256)),
            plan,
        )
        for index in range(len(plan.origins))
    )
    np.testing.assert_allclose(total, 1.0, atol=1e-12)


def test_errors_at_the_border_of_tiles_hardly_show() -> None:
    plan = plan_tiles(300, 200)
    tiles = np.zeros((len(plan.origins), 1, 256, 256), np.float32)
    for side in (np.s_[..., :4, :], np.s_[..., -4:, :], np.s_[..., :4], np.s_[..., -4:]):
        tiles[side] = 1.0  # one LR pixel wide, as where a network lacks context
    joined = blend(tiles, plan)
    assert joined[..., 8:-8, 8:-8].max() < 0.02


@pytest.mark.parametrize(("height", "width"), [(h, w) for h in range(8, 260, 7) for w in (64, 121)])
def test_plans_cover_overlap_and_lie_on_multiples_of_2(height: int, width: int) -> None:
    plan = plan_tiles(height, width)
    for axis, length in enumerate((height, width)):
        starts = sorted({origin[axis] for origin in plan.origins})
        assert starts[0] == 0 and all(start % 2 == 0 for start in starts)
        assert plan.padded[axis] == starts[-1] + 64 and max(length, 64) <= plan.padded[axis] <= max(length + 1, 64)
        assert all(after - before <= 48 for before, after in pairwise(starts))
        assert len(starts) == max(1, -(-(length - 16) // 48))  # no more tiles than needed


@pytest.mark.parametrize(("tile", "overlap"), [(64, 0), (64, 32), (64, 15), (32, 8), (16, 1)])
def test_other_tiles_blend_back_too(tile: int, overlap: int) -> None:
    field, plan = _field(131, 77), plan_tiles(131, 77, tile=tile, overlap=overlap)
    assert all(y % 2 == x % 2 == 0 for y, x in plan.origins)
    np.testing.assert_array_equal(blend(_nearest(cut(field, plan)), plan), _nearest(field))


@pytest.mark.parametrize(("tile", "overlap"), [(63, 16), (64, 33), (64, -1)])
def test_impossible_tiles_are_a_usage_error(tile: int, overlap: int) -> None:
    with pytest.raises(UsageError, match=f"tiles of {tile}"):
        plan_tiles(100, 100, tile=tile, overlap=overlap)


def test_one_tile_goes_straight_through() -> None:
    field, plan = _field(64, 64), plan_tiles(64, 64)
    assert plan.origins == ((0, 0),) and np.shares_memory(cut(field, plan), field)
    tiles = _nearest(field)
    assert np.shares_memory(blend(tiles, plan), tiles)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_each_tile_gets_the_noise_of_its_place(height: int, width: int) -> None:
    plan = plan_tiles(height, width)
    noise = _field(plan.padded[0] // 2, plan.padded[1] // 2, channels=4)
    tiles = cut(noise, plan, ratio=Fraction(1, 2))
    assert tiles.shape == (len(plan.origins), 4, 32, 32)
    for tile, (y, x) in zip(tiles, plan.origins, strict=True):
        np.testing.assert_array_equal(tile, noise[0, :, y // 2 : y // 2 + 32, x // 2 : x // 2 + 32])


def test_a_small_picture_is_mirrored_again_and_again() -> None:
    tile = cut(_field(8, 9), plan_tiles(8, 9))[0, 0]
    np.testing.assert_array_equal(tile[8:15, :9], tile[6::-1, :9][:7])
    np.testing.assert_array_equal(tile[14:22], tile[:8])  # the period of reflection is 2 * (8 - 1)
    np.testing.assert_array_equal(tile[:, 16:25], tile[:, :9])


def test_a_field_of_another_size_is_refused() -> None:
    with pytest.raises(EdgeSRError, match="does not fit"):
        cut(_field(90, 100), plan_tiles(100, 100))
    with pytest.raises(EdgeSRError, match="do not fit"):
        blend(np.zeros((3, 1, 256, 256), np.float32), plan_tiles(100, 100))


def laid_out(tiles: np.ndarray, plan: TilePlan) -> np.ndarray:
    """(N, h, w) LR tiles to (H, W), written plainly: all of a row first, then row after row."""
    rows = sorted({y for y, _ in plan.origins})
    columns = [x for y, x in plan.origins if y == rows[0]]
    grid = tiles.reshape(len(rows), len(columns), plan.tile, plan.tile)
    strips = [joined(list(row.transpose(0, 2, 1)), columns).T for row in grid]
    return joined(strips, rows)[: plan.height, : plan.width]


def joined(strips: list[np.ndarray], starts: list[int]) -> np.ndarray:
    whole = np.zeros((starts[-1] + len(strips[0]), strips[0].shape[1]), np.float32)
    end = 0
    for strip, start in zip(strips, starts, strict=True):
        shared = end - start if end else 0
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(shared) + 0.5) / max(shared, 1))).astype(np.float32)[:, None]
        standing = whole[start : start + shared]
        standing += ramp * (strip[:shared] - standing)
        whole[start + shared : start + len(strip)] = strip[shared:]
        end = start + len(strip)
    return whole


@pytest.mark.parametrize(("height", "width"), [(64, 130), (66, 66), (200, 300), (163, 64)])
def test_a_mosaic_gives_each_band_once_and_all_of_them(height: int, width: int) -> None:
    plan = plan_tiles(height, width)
    tiles = np.random.default_rng(0).random((len(plan.origins), 1, 64, 64), np.float32)
    mosaic = Mosaic(plan, scale=1)
    bands = [(done[0], done[1].copy()) for tile in tiles if (done := mosaic.add(tile)) is not None]
    tops = [top for top, _ in bands]
    assert tops == sorted({y for y, _ in plan.origins})
    whole = np.concatenate([band for _, band in bands], axis=2)
    np.testing.assert_array_equal(whole[0, 0], laid_out(tiles[:, 0], plan))
