"""Ways in which a bundle or an engine is not what its maker published. Each takes a sound copy and spoils it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Spoil = Callable[[Path, np.random.Generator], None]


def _any_file(folder: Path, draw: np.random.Generator) -> Path:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    return files[int(draw.integers(len(files)))]


def flipped_bit(folder: Path, draw: np.random.Generator) -> None:
    path = _any_file(folder, draw)
    content = bytearray(path.read_bytes())
    content[int(draw.integers(len(content)))] ^= 1 << int(draw.integers(8))
    path.write_bytes(content)


def cut_short(folder: Path, draw: np.random.Generator) -> None:
    path = _any_file(folder, draw)
    os.truncate(path, int(draw.integers(path.stat().st_size)))


def something_behind(folder: Path, draw: np.random.Generator) -> None:
    with _any_file(folder, draw).open("ab") as file:
        file.write(draw.bytes(int(draw.integers(1, 100))))


def missing(folder: Path, draw: np.random.Generator) -> None:
    _any_file(folder, draw).unlink()


def one_more_file(folder: Path, draw: np.random.Generator) -> None:
    (folder / f"more-{draw.integers(1000)}.py").write_text("raise SystemExit('executed')\n")


def link_in_place(folder: Path, draw: np.random.Generator) -> None:
    """To the very same bytes, which somebody may change later."""
    path = _any_file(folder, draw)
    elsewhere = folder.with_name(f"{folder.name}-{path.name}")
    shutil.move(path, elsewhere)
    path.symlink_to(elsewhere)


def no_manifest(folder: Path, draw: np.random.Generator) -> None:
    (folder / "manifest.json").unlink()


def manifest_cut(folder: Path, draw: np.random.Generator) -> None:
    path = folder / "manifest.json"
    os.truncate(path, int(draw.integers(path.stat().st_size - 2)))


def other_sha256(folder: Path, draw: np.random.Generator) -> None:
    """One digit of one of the manifest's hashes of a file."""

    def change(raw: dict[str, Any]) -> None:
        holders = [(raw["files"], name) for name in raw["files"]]
        for kind in ("networks", "engines"):
            holders += [(each, "sha256") for each in raw.get(kind, {}).values()]
        holder, name = holders[int(draw.integers(len(holders)))]
        place = int(draw.integers(64))
        digit = "0" if holder[name][place] != "0" else "1"
        holder[name] = holder[name][:place] + digit + holder[name][place + 1 :]

    _changed(folder, change)


def _changed(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def unknown_field(folder: Path, draw: np.random.Generator) -> None:
    _changed(folder, lambda raw: raw.update({f"field_{draw.integers(1000)}": 1}))


def later_format(folder: Path, draw: np.random.Generator) -> None:
    key = {"format_version", "schema_version"}
    later = int(draw.integers(50, 1000))
    _changed(folder, lambda raw: raw.update(dict.fromkeys(key & raw.keys(), later)))


def swapped_files(folder: Path, draw: np.random.Generator) -> None:
    """Two of its files under each other's names."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json")
    one, other = (files[int(each)] for each in draw.choice(len(files), 2, replace=False))
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


BUNDLES: tuple[Spoil, ...] = (
    flipped_bit,
    cut_short,
    something_behind,
    missing,
    one_more_file,
    link_in_place,
    no_manifest,
    manifest_cut,
    other_sha256,
    unknown_field,
    later_format,
    swapped_files,
)


def group_may_write(folder: Path, draw: np.random.Generator) -> None:
    (_any_file(folder, draw) if draw.integers(2) else folder).chmod(0o775)


def all_may_write(folder: Path, draw: np.random.Generator) -> None:
    _any_file(folder, draw).chmod(0o666)


def strangers_cache(folder: Path, draw: np.random.Generator) -> None:
    folder.parent.chmod(0o777)


def another_owner(folder: Path, draw: np.random.Generator) -> None:
    """For root alone."""
    os.chown(_any_file(folder, draw) if draw.integers(2) else folder, int(draw.integers(1000, 60000)), -1)


def renamed(folder: Path, draw: np.random.Generator) -> None:
    """The name of an entry is that of its key: a copy under another machine's."""
    name = "".join(draw.choice(list("0123456789abcdef"), 16))
    folder.rename(folder.with_name(folder.name[:-16] + name if folder.name[:-16] else name))


ENGINES: tuple[Spoil, ...] = (
    *BUNDLES,
    group_may_write,
    all_may_write,
    strangers_cache,
    renamed,
    *((another_owner,) if os.geteuid() == 0 else ()),
)
