"""What an engine is checked on, and what the ranges are found on where no table fits: never the same pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from build_engines.check.effort import Effort
from calibration.images import CalibrationImages, folder_tiles, phantom_tiles, pick, read_unit
from edge_sr.artifacts.manifest import Manifest
from edge_sr.cli.inputs import SUFFIXES
from edge_sr.errors import InputError, UsageError

CALIBRATION_PHANTOMS = 64  # numbers 0 to 63
CHECK_PHANTOMS = 24
LEAST_CALIBRATION, LEAST_CHECK = 8, 4  # of a model whose pictures cost much: two of each kind, and one
FIRST_OF_CHECK = 1000  # number of the first phantom that checks
LARGEST_CHECKED = 64  # tiles of a folder; as many calibrate


@dataclass(frozen=True)
class Pictures:
    """Phantoms, and tiles of LR pictures: every other tile calibrates, the rest check; a single one does both.

    check_phantoms, calibration_phantoms: how many; None leaves it to what a picture costs. tiles: (n, C, tile, tile)
    float32 in [0, 1]. The phantoms are drawn at first use: that takes seconds, and a build whose engine is there
    already needs none.
    """

    manifest: Manifest
    tiles: np.ndarray = field(repr=False)
    check_phantoms: int | None = None
    calibration_phantoms: int | None = None

    def affordable(self, effort: Effort) -> Pictures:
        """As many as a build has the time for, where nobody said how many."""
        check, calibration = self.check_phantoms, self.calibration_phantoms
        return Pictures(
            self.manifest,
            self.tiles[: 2 * effort.of(LARGEST_CHECKED, LEAST_CALIBRATION)],
            effort.of(CHECK_PHANTOMS, LEAST_CHECK) if check is None else check,
            effort.of(CALIBRATION_PHANTOMS, LEAST_CALIBRATION) if calibration is None else calibration,
        )

    def __str__(self) -> str:
        folder = f", and {len(self.tiles)} tiles" if len(self.tiles) else ""
        return f"{self.check_phantoms} phantoms check and {self.calibration_phantoms} calibrate{folder}"

    @cached_property
    def calibration(self) -> CalibrationImages:
        """For ranges."""
        count = CALIBRATION_PHANTOMS if self.calibration_phantoms is None else self.calibration_phantoms
        return self._with_phantoms(self.tiles[::2], count)

    @cached_property
    def check(self) -> CalibrationImages:
        """For the gates."""
        tiles = self.tiles[1::2] if len(self.tiles) > 1 else self.tiles
        count = CHECK_PHANTOMS if self.check_phantoms is None else self.check_phantoms
        return self._with_phantoms(tiles, count, first=FIRST_OF_CHECK)

    def _with_phantoms(self, tiles: np.ndarray, count: int, *, first: int = 0) -> CalibrationImages:
        given = self.manifest.input
        phantoms = phantom_tiles(
            count, tile=given.tile, scale=self.manifest.scale, channels=given.channels, first=first
        )
        return CalibrationImages.of(np.concatenate([phantoms, tiles]))


def build_pictures(
    manifest: Manifest,
    folder: Path | None = None,
    *,
    phantoms: int | None = None,
    calibration_phantoms: int | None = None,
    seed: int = 0,
    skipped: Callable[[InputError], None] = lambda fault: None,
) -> Pictures:
    """Phantoms, and the tiles of a folder of LR pictures, where there is one.

    phantoms, calibration_phantoms: how many check, and how many calibrate; see ``Pictures``. skipped: told of each
    picture that cannot be read. UsageError where nothing is left to check or to calibrate on.
    """
    if folder is None:
        if phantoms == 0:
            raise UsageError("no picture to check the engine on", expected="--check-phantoms 1 or more, or --images")
        if calibration_phantoms == 0:
            raise UsageError("no picture to calibrate on", expected="--calibration-phantoms 1 or more, or --images")
        none = phantom_tiles(0, tile=manifest.input.tile, scale=manifest.scale, channels=manifest.input.channels)
        return Pictures(manifest, none, phantoms, calibration_phantoms)
    given = manifest.input
    tiles = folder_tiles(folder, tile=given.tile, channels=given.channels, seed=seed, skipped=skipped)
    tiles = CalibrationImages.of(pick(tiles, 2 * LARGEST_CHECKED, seed=seed)).lr  # in an order of the tiles alone
    return Pictures(manifest, tiles, phantoms, calibration_phantoms)


def truth_pictures(folder: Path, manifest: Manifest) -> np.ndarray:
    """``hr_pictures`` to decide by: UsageError for the test part of a data set, which only reports."""
    side = manifest.input.tile * manifest.scale
    whole = folder.resolve()
    for parent in whole.parents:
        if (parent / "store.json").is_file() and whole.relative_to(parent).parts[0] == "test":
            hint = f"{parent}/validation/HR_{side}"
            raise UsageError("is the test part of a data set, which decides nothing", where=folder, hint=hint)
    return hr_pictures(folder, manifest)


def hr_pictures(folder: Path, manifest: Manifest) -> np.ndarray:
    """(n, C, H, W) float32 in [0, 1]: the middle of every HR picture in a folder, of the size made from one tile.

    UsageError where there is none, and where one is smaller.
    """
    side = manifest.input.tile * manifest.scale
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise UsageError("no picture", where=folder, expected="a folder of PNG, TIFF or JPEG, grey")
    return np.concatenate([_middle(path, side, manifest.input.channels) for path in paths])


def _middle(path: Path, side: int, channels: int) -> np.ndarray:
    hr = read_unit(path, channels)
    height, width = hr.shape[2:]
    if min(height, width) < side:
        raise UsageError(f"{width}x{height} pixels", where=path, expected=f"at least {side}x{side}")
    top, left = (height - side) // 2, (width - side) // 2
    return hr[:, :, top : top + side, left : left + side]
