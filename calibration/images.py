"""What a calibration looks at: LR tiles of real pictures, chosen to cover what occurs, and synthetic ones.

Ranges have to hold at the ends of what comes: a dark and a bright exposure, lead letters that are white by themselves,
and the black surround of a collimated picture. Each is told by one number of a tile:

- dark, bright: the mean.
- marker: how far the brightest 0.5 % of the pixels stand above the 95th percentile; a letter is small and white.
- collimated: the share of the pixels that are black, at most 3 % of full scale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_sr.cli.inputs import OUR_NAME, SUFFIXES
from edge_sr.errors import InputError, UsageError
from edge_sr.image.consistency import area_mean
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.radiograph import from_unit, read_radiograph, to_unit
from edge_sr.image.tiling import cut, plan_tiles

LARGEST_READ = 1024  # pictures of a folder; of more, as many are drawn
TILES_EACH = 4  # of a picture larger than a tile
BLACK = 0.03

Statistic = Callable[[np.ndarray], float]
EXTREMES: Mapping[str, Statistic] = {  # (tile, tile) in [0, 1] -> the more, the more extreme
    "dark": lambda tile: -float(tile.mean()),
    "bright": lambda tile: float(tile.mean()),
    "marker": lambda tile: float(np.quantile(tile, 0.995) - np.quantile(tile, 0.95)),
    "collimated": lambda tile: float((tile <= BLACK).mean()),
}
SHARE_OF_EACH = 8  # one in eight of the chosen tiles for each extreme, half of them at random


@dataclass(frozen=True)
class CalibrationImages:
    """lr: (n, C, tile, tile) float32 in [0, 1]; in an order that depends on the tiles alone.

    sha256: of what the tiles hold. noise_seeds: one a tile, a function of its pixels.
    """

    lr: np.ndarray
    sha256: str
    noise_seeds: tuple[int, ...]

    @classmethod
    def of(cls, tiles: np.ndarray) -> CalibrationImages:
        """tiles: (n, C, tile, tile) in any order; equal ones are taken once."""
        by_hash = {hashlib.sha256(tile.tobytes()).hexdigest(): tile for tile in tiles}
        hashes = sorted(by_hash)
        whole = hashlib.sha256("".join(hashes).encode()).hexdigest()
        return cls(np.stack([by_hash[one] for one in hashes]), whole, tuple(int(one[:12], 16) for one in hashes))


def calibration_images(
    folder: Path | None,
    *,
    phantoms: int,
    count: int,
    tile: int,
    scale: int,
    channels: int = 1,
    seed: int = 0,
    skipped: Callable[[InputError], None] = lambda fault: None,
) -> CalibrationImages:
    """``count`` tiles from a folder of LR pictures, if there is one, and so many phantoms.

    channels: 3 tints the phantoms and takes pictures in colour as they are. seed: of all that is drawn. skipped: told
    of each picture that cannot be read.
    Raises UsageError where nothing is left, or where the folder holds pictures that only test.
    """
    parts = [phantom_tiles(phantoms, tile=tile, scale=scale, channels=channels)]
    if folder is not None:
        found = folder_tiles(folder, tile=tile, channels=channels, seed=seed, skipped=skipped)
        parts.append(pick(found, count, seed=seed))
    tiles = np.concatenate(parts)
    if not len(tiles):
        raise UsageError("no picture to calibrate on", expected="--images or --phantoms")
    return CalibrationImages.of(tiles)


def phantom_tiles(count: int, *, tile: int, scale: int, channels: int = 1, first: int = 0) -> np.ndarray:
    """(count, C, tile, tile): in turn as drawn, dark, bright and collimated; all bear a marker. first: its number.

    With several channels each phantom has a tint of its own.
    """
    tiles = [_exposed(chest_phantom(tile * scale, seed=n), n % 4) for n in range(first, first + count)]
    reduced = [to_unit(from_unit(area_mean(to_unit(pixels), scale), 8)) for pixels in tiles]
    grey = np.concatenate([np.empty((0, 1, tile, tile), np.float32), *reduced])
    if channels == 1:
        return grey
    tints = [np.random.default_rng(n).uniform(0.4, 1.0, channels) for n in range(first, first + count)]
    tinted: np.ndarray = grey * np.reshape(tints, (count, channels, 1, 1)).astype(np.float32)
    return tinted


def _exposed(phantom: np.ndarray, kind: int) -> np.ndarray:
    """(H, W) uint8 -> the same, as another exposure shows it. kind: 0 to 3, see phantom_tiles."""
    if kind == 3:
        rim = len(phantom) // 8
        framed = np.zeros_like(phantom)
        framed[rim:-rim, rim:-rim] = phantom[rim:-rim, rim:-rim]
        return framed
    gamma = (1.0, 2.0, 0.5)[kind]
    return np.rint(255 * (phantom / 255) ** gamma).astype(np.uint8)


def pick(tiles: np.ndarray, count: int, *, seed: int = 0) -> np.ndarray:
    """Those of (n, C, tile, tile) that cover the extremes, and others at random; all where there are no more."""
    if len(tiles) <= count:
        return tiles
    tiles = CalibrationImages.of(tiles).lr  # so that the order of the files decides nothing
    chosen: list[int] = []
    for statistic in EXTREMES.values():
        ranked = sorted(range(len(tiles)), key=lambda n: -statistic(tiles[n].mean(axis=0)))
        chosen += [n for n in ranked if n not in chosen][: count // SHARE_OF_EACH]
    others = np.setdiff1d(np.arange(len(tiles)), chosen)
    drawn = np.random.default_rng(seed).permutation(others)[: count - len(chosen)]
    return tiles[[*chosen, *drawn]]


def folder_tiles(
    folder: Path,
    *,
    tile: int,
    channels: int = 1,
    seed: int = 0,
    skipped: Callable[[InputError], None] = lambda fault: None,
) -> np.ndarray:
    """(n, C, tile, tile) of the pictures below a folder; of larger ones up to TILES_EACH, drawn."""
    refuse_held_out(folder)
    random = np.random.default_rng(seed)
    paths = sorted(path for path in folder.rglob("*") if _is_input(path, folder))
    if len(paths) > LARGEST_READ:
        paths = [paths[n] for n in sorted(random.permutation(len(paths))[:LARGEST_READ])]
    tiles = list(_read_tiles(paths, tile, channels, random, skipped))
    if not tiles:
        raise UsageError("no picture that can be read", where=folder, expected="PNG, TIFF or JPEG, grey")
    return np.concatenate(tiles)


def _is_input(path: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in SUFFIXES and not OUR_NAME.fullmatch(path.name) and not hidden


def _read_tiles(
    paths: list[Path], tile: int, channels: int, random: np.random.Generator, skipped: Callable[[InputError], None]
) -> Iterator[np.ndarray]:
    for path in paths:
        try:
            lr = read_unit(path, channels)
        except InputError as fault:
            skipped(fault)
            continue
        tiles = cut(lr, plan_tiles(*lr.shape[2:], tile=tile, overlap=tile // 4))
        yield tiles[random.permutation(len(tiles))[:TILES_EACH]]


def read_unit(path: Path, channels: int) -> np.ndarray:
    """A file as a model of so many channels takes it, (1, C, h, w) float32 in [0, 1]; grey is repeated."""
    unit = to_unit(read_radiograph(path, colour="rgb" if channels > 1 else "refuse").pixels)
    return unit if unit.shape[1] == channels else unit.repeat(channels, axis=1)


def refuse_held_out(folder: Path) -> None:
    """UsageError for a data set or a part of one that ranges must not be fitted to: validation chooses, test reports.

    Of a data set that ``edge-sr-host prepare --layout folders`` wrote, train/LR_64 is what the model reads in training.
    """
    if not folder.is_dir():
        raise UsageError("no such folder", where=folder, expected="a folder of pictures")
    hint = "edge-sr-host prepare ... -o pairs --layout folders, then --images pairs/train/LR_64"
    if (folder / "MANIFEST.csv").is_file():
        raise UsageError("is a data set, whose test pictures are not for calibration", where=folder, hint=hint)
    whole = folder.resolve()
    for parent in whole.parents:
        if (parent / "store.json").is_file() and whole.relative_to(parent).parts != ("train", "LR_64"):
            raise UsageError("is not the training input of this data set", where=folder, hint=f"{parent}/train/LR_64")
