"""Pictures of any sizes in one file, decoded once and mapped from the disk: a patch costs the pages it touches."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edge_sr.errors import EnvironmentFault, InputError, IntegrityError
from edge_sr.image.atomic import write_atomically
from host_training.data.natural import natural_picture

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class MappedPictures(Sequence[np.ndarray]):
    """pixels: all of them, one picture after another, (bytes,) uint8. shapes: (H, W) or (H, W, 3) of each."""

    pixels: np.ndarray
    shapes: tuple[Shape, ...]
    starts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # the overloads of Sequence would be longer than it
        """A picture, uint8, a view of the file; of a slice a list of them."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        shape, start = self.shapes[index], self.starts[index]
        return self.pixels[start : start + math.prod(shape)].reshape(shape)


def mapped_pictures(paths: Sequence[Path], cache: Path, *, channels: int, least: int) -> MappedPictures:
    """The pictures of these files, kept in the folder ``cache`` under a name that changes when one of them does.

    channels: 3, or 1 for luma. Raises InputError for a picture that cannot be read or has a side below ``least``
    pixels, EnvironmentFault where the disk is full, IntegrityError where a file of the cache was cut.
    """
    name = f"natural-{digest(paths, channels)}"
    pixels, index = cache / f"{name}.pixels", cache / f"{name}.json"
    if not index.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        shapes = write_pixels(pixels, (natural_picture(path, channels=channels) for path in progress(paths)))
        write_atomically(index, json.dumps(shapes).encode(), overwrite=True)  # last: what it describes is there
    found = open_pixels(pixels, [tuple(shape) for shape in json.loads(index.read_text())])
    for path, shape in zip(paths, found.shapes, strict=True):
        if min(shape[:2]) < least:
            raise InputError(
                f"{shape[1]}x{shape[0]} pixels", where=path, expected=f"sides of at least {least}, the patches' crop"
            )
    return found


def digest(paths: Iterable[Path], channels: int) -> str:
    """Of the files' names, sizes and times."""
    files = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return hashlib.sha256(json.dumps([channels, files]).encode()).hexdigest()[:12]


def write_pixels(path: Path, pictures: Iterable[np.ndarray]) -> list[Shape]:
    """Write them one after another, whole or not at all; their shapes."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")  # two trainings may fill one cache together
    shapes: list[Shape] = []
    try:
        with part.open("wb") as file:
            for picture in pictures:
                file.write(np.ascontiguousarray(picture).data)
                shapes.append(picture.shape)
        part.replace(path)
    except OSError as fault:
        what, hint = f"the decoded pictures cannot be kept ({fault.strerror})", f"df -h {path.parent}"
        raise EnvironmentFault(what, where=path.parent, hint=hint) from fault
    finally:
        part.unlink(missing_ok=True)
    return shapes


def open_pixels(path: Path, shapes: Sequence[Shape]) -> MappedPictures:
    """IntegrityError where the file does not hold pictures of these shapes."""
    sizes = [math.prod(shape) for shape in shapes]
    if not path.is_file() or path.stat().st_size != sum(sizes):
        hint = f"rm {path.with_suffix('.json')}"
        raise IntegrityError("was cut or removed", where=path, expected=f"{sum(sizes)} bytes", hint=hint)
    starts = np.cumsum([0, *sizes])[:-1]
    return MappedPictures(np.memmap(path, np.uint8, "r"), tuple(shapes), tuple(map(int, starts)))


def progress(paths: Sequence[Path]) -> Iterator[Path]:
    return iter(tqdm(paths, desc="reading", unit="picture"))
