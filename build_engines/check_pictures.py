"""What an engine is checked on, and what the ranges are found on where no table fits: never the same pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from calibration.images import CalibrationImages, folder_tiles, phantom_tiles, pick
from edge_sr.artifacts.manifest import Manifest
from edge_sr.cli.inputs import SUFFIXES
from edge_sr.errors import InputError, UsageError
from edge_sr.image.radiograph import read_radiograph, to_unit

CALIBRATION_PHANTOMS = 64  # numbers 0 to 63
CHECK_PHANTOMS = 24
FIRST_OF_CHECK = 1000  # number of the first phantom that checks
LARGEST_CHECKED = 64  # tiles of a folder; as many calibrate


@dataclass(frozen=True)
class Pictures:
    """calibration: for ranges. check: for the gates."""

    calibration: CalibrationImages
    check: CalibrationImages


def build_pictures(
    manifest: Manifest,
    folder: Path | None = None,
    *,
    phantoms: int = CHECK_PHANTOMS,
    seed: int = 0,
    skipped: Callable[[InputError], None] = lambda fault: None,
) -> Pictures:
    """Phantoms, and the tiles of a folder of LR pictures: every other one calibrates, the rest check.

    phantoms: how many check. UsageError where nothing is left to check on.
    """
    tile, scale = manifest.input.tile, manifest.scale
    calibration = [phantom_tiles(CALIBRATION_PHANTOMS, tile=tile, scale=scale)]
    check = [phantom_tiles(phantoms, tile=tile, scale=scale, first=FIRST_OF_CHECK)]
    if folder is not None:
        tiles = pick(folder_tiles(folder, tile=tile, seed=seed, skipped=skipped), 2 * LARGEST_CHECKED, seed=seed)
        tiles = CalibrationImages.of(tiles).lr  # in an order that depends on the tiles alone
        calibration.append(tiles[::2])
        check.append(tiles[1::2] if len(tiles) > 1 else tiles)
    checked = np.concatenate(check)
    if not len(checked):
        raise UsageError("no picture to check the engine on", expected="--check-phantoms 1 or more, or --images")
    return Pictures(CalibrationImages.of(np.concatenate(calibration)), CalibrationImages.of(checked))


def truth_pictures(folder: Path, manifest: Manifest) -> np.ndarray:
    """(n, 1, H, W) float32 in [0, 1]: the middle of every HR picture in a folder, of the size made from one tile.

    UsageError where there is none, where one is smaller, and for the test part of a data set, which chooses nothing.
    """
    side = manifest.input.tile * manifest.scale
    whole = folder.resolve()
    for parent in whole.parents:
        if (parent / "store.json").is_file() and whole.relative_to(parent).parts[0] == "test":
            hint = f"{parent}/validation/HR_{side}"
            raise UsageError("is the test part of a data set, which decides nothing", where=folder, hint=hint)
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UsageError("no picture", where=folder, expected="PNG, TIFF or JPEG, grey")
    return np.concatenate([_middle(path, side) for path in paths])


def _middle(path: Path, side: int) -> np.ndarray:
    hr = to_unit(read_radiograph(path).pixels)  # (1, 1, H, W)
    height, width = hr.shape[2:]
    if min(height, width) < side:
        raise UsageError(f"{width}x{height} pixels", where=path, expected=f"at least {side}x{side}")
    top, left = (height - side) // 2, (width - side) // 2
    return hr[:, :, top : top + side, left : left + side]
