"""One picture at five sizes, so that a net sees the same things small and large: itself and four of Lanczos' filter.

The factors and names are those of scripts/generate_multiscale_DF2K.py in github.com/xinntao/Real-ESRGAN: three
quarters, a half, a third, and the size whose short side is 400 pixels. A size that would be larger than the picture is
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from edge_sr.errors import InputError
from edge_sr.image.atomic import read_whole, write_atomically
from edge_sr.image.png import encode_png
from host_training.data.natural import SCALED_NAME, upright

FACTORS = (3 / 4, 1 / 2, 1 / 3)
SHORT_SIDE = 400  # pixels, of the last size
MAX_BYTES = 1 << 30  # of a file
PNG_LEVEL = 6

Size = tuple[int, int]  # width, height
Content = Callable[[], bytes]


@dataclass(frozen=True)
class Task:
    """A picture and the folder that its sizes go to. least: pixels of a short side, below which a size is left out."""

    path: Path
    out: Path
    least: int


@dataclass(frozen=True)
class Outcome:
    """written, there: files, the latter not touched. reason: why nothing could be made of the picture, else ""."""

    path: Path
    written: int = 0
    there: int = 0
    reason: str = ""


def sizes_of(width: int, height: int, least: int) -> dict[int, Size]:
    """The sizes of a picture by number, 0 to 2 by FACTORS, 3 by SHORT_SIDE: none twice, none larger than it."""
    factors = [*FACTORS, SHORT_SIDE / min(width, height)]
    sizes: dict[int, Size] = {}
    for number, factor in enumerate(factors):
        size = int(width * factor + 1e-6), int(height * factor + 1e-6)  # 1200 * (400 / 1200) is 400
        if factor < 1 and min(size) >= least and size not in sizes.values():
            sizes[number] = size
    return sizes


def write_sizes(task: Task) -> Outcome:
    """Write what is not there yet: the file itself under its own name, and NAMET0.png to NAMET3.png."""
    try:
        picture = upright(task.path)
        if min(picture.size) < task.least:
            raise InputError("{}x{} pixels".format(*picture.size), expected=f"sides of at least {task.least}")
        written = there = 0
        for path, content in files_of(task, picture):
            if path.exists():
                there += 1
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content())
            written += 1
    except InputError as error:
        return Outcome(task.path, reason=f"{error.what}{f'; expected {error.expected}' if error.expected else ''}")
    return Outcome(task.path, written, there)


def files_of(task: Task, picture: Image.Image) -> Iterator[tuple[Path, Content]]:
    """Every file that a picture becomes, and what makes its bytes."""
    yield task.out / task.path.name, lambda: read_whole(task.path, max_bytes=MAX_BYTES)
    for number, size in sizes_of(*picture.size, task.least).items():
        yield task.out / f"{task.path.stem}T{number}.png", Resized(picture, size)


@dataclass(frozen=True)
class Resized:
    """The PNG file of a picture at another size."""

    picture: Image.Image
    size: Size

    def __call__(self) -> bytes:
        pixels = np.asarray(self.picture.resize(self.size, Image.Resampling.LANCZOS))
        return encode_png(pixels, text={}, level=PNG_LEVEL)


def clashes(paths: Sequence[Path]) -> dict[Path, str]:
    """Pictures that must be left out, each with the reason: another one's sizes have the same names."""
    by_name: dict[Path, Path] = {}
    reasons: dict[Path, str] = {}
    for path in paths:
        first = by_name.setdefault(path.with_suffix(""), path)
        if first != path:
            reasons[path] = f"name taken: its sizes would be named as those of {first.name}"
    for path in paths:
        scaled = SCALED_NAME.fullmatch(path.stem)
        if scaled and path.with_name(scaled[1]) in by_name:
            reasons[path] = f"named as another size of {by_name[path.with_name(scaled[1])].name}"
    return reasons
