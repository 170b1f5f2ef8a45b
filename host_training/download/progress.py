"""What a download shows while it runs, on stderr: bars on a terminal, and single lines anywhere."""

from __future__ import annotations

import sys

from tqdm import tqdm


def byte_bar(label: str, total: int | None) -> tqdm[None]:
    """A bar that counts bytes; it is gone when it is closed, and never there where stderr is no terminal."""
    return tqdm(total=total, desc=label, unit="B", unit_scale=True, unit_divisor=1024, leave=False, disable=None)


def file_bar(label: str, total: int | None) -> tqdm[None]:
    """A bar that counts files, otherwise the same."""
    return tqdm(total=total, desc=label, unit="file", leave=False, disable=None)


def say(line: str) -> None:
    """A line that stays, above the bar."""
    tqdm.write(line, file=sys.stderr)


def size_text(size: float) -> str:
    """A number of bytes as people read it: ``512 B``, ``8.6 MiB``, ``41.98 GiB``."""
    if size < 1024:
        return f"{size:.0f} B"
    for unit in ("KiB", "MiB"):
        size /= 1024
        if size < 1024:
            return f"{size:.1f} {unit}"
    return f"{size / 1024:.2f} GiB"
