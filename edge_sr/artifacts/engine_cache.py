"""The engine cache, as it is read: where it is, what is in it, and which of its engines serves this machine best.

Reading takes no lock and never writes. ``engine_publish`` is the other half.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_sr.artifacts.engine_entry import RETIRED, Damaged, Entry, read_entry
from edge_sr.artifacts.engine_key import BACKENDS, BUILD_VERSION, PRECISIONS, Difference, EngineKey, Machine
from edge_sr.artifacts.families import FEEDFORWARD
from edge_sr.artifacts.manifest import SAMPLERS
from edge_sr.artifacts.trust import owned_by_us, user_name
from edge_sr.errors import IntegrityError

SYSTEM = Path("/var/lib/edge-sr/engines")
VARIABLE = "EDGE_SR_CACHE"

# What EngineManifest.folder_name makes. Nothing else in the folder is ours: it is neither read nor removed.
_NAME = re.compile(
    r"[a-z0-9][a-z0-9._-]{0,63}"
    rf"-({'|'.join(map(re.escape, (*SAMPLERS, FEEDFORWARD)))})-[0-9]+"
    rf"-({'|'.join(PRECISIONS)})-({'|'.join(BACKENDS)})-[0-9a-f]{{12}}"
)

Refused = Callable[[Damaged], None]


def _say_nothing(damaged: Damaged) -> None:
    """Where nobody asked which entries were passed over."""


def cache_folders() -> list[Path]:
    """Where engines are looked for, in this order; none of them need exist.

    $EDGE_SR_CACHE alone where it is set; else the machine's folder, which root fills for all, and the user's own.
    """
    if chosen := os.environ.get(VARIABLE):
        return [Path(chosen).expanduser().absolute()]
    try:
        return [SYSTEM, Path.home() / ".cache" / "edge-sr" / "engines"]
    except RuntimeError:  # a service's user without a home
        return [SYSTEM]


def entries(folder: Path) -> Iterator[Entry | Damaged]:
    """Everything in one cache folder that has the name of an entry, sorted by it, without raising. Nothing is verified.

    An entry that had stepped aside for a newer build when that build was killed counts as if it had not.
    """
    try:
        present = {path.name for path in folder.iterdir()}
    except OSError:  # absent, or closed to this user
        return
    names = {name.removeprefix(RETIRED) for name in present}
    for name in sorted(name for name in names if _NAME.fullmatch(name)):
        yield read_entry(folder / name if name in present else folder / f"{RETIRED}{name}")


def find(key: EngineKey, *, folders: Sequence[Path] | None = None, refused: Refused = _say_nothing) -> Entry | None:
    """The verified entry with exactly this key. refused: is told each damaged entry that may have been it."""
    return _first_sound((entry for entry in _read(folders, refused) if entry.key.sha256 == key.sha256), refused)


def best(
    chain_sha256: str,
    machine: Machine,
    *,
    precision: str | None = None,
    simulated: bool = False,
    folders: Sequence[Path] | None = None,
    refused: Refused = _say_nothing,
) -> Entry | None:
    """Of the verified engines of a chain that serve this machine, the one with the greatest speed-up.

    precision: None takes any; else what was asked for or what the engine really is must be this. simulated: whether
    engines of a stand-in count too. refused: is told each damaged entry that may have been it.
    """
    fit = [
        entry
        for entry in _read(folders, refused)
        if entry.key.chain_sha256 == chain_sha256
        and entry.key.serves(machine)
        and precision in (None, entry.key.precision, entry.manifest.precision)
        and (simulated or not entry.manifest.simulated)
    ]
    fit.sort(key=lambda entry: -entry.manifest.speedup)  # stable: among equals the machine's folder, then the name
    return _first_sound(fit, refused)


def explain(key: EngineKey, *, folders: Sequence[Path] | None = None) -> tuple[Entry, list[Difference]] | None:
    """Why there is no engine for ``key``: the entry with the fewest differing parts, and those; None without any.

    In each Difference ``mine`` is of ``key`` and ``theirs`` of the entry.
    """
    near = [(entry, key.difference(entry.key)) for entry in _read(folders, _say_nothing)]
    return min(near, key=lambda pair: len(pair[1]), default=None)


@dataclass(frozen=True)
class Standing:
    """What an entry is worth here.

    status: sound; stale (another machine, version or an older build); damaged; newer (of a later release); foreign (of
    another user); elsewhere (its backend cannot be asked on this machine now). reason: "" where it is sound.
    """

    status: str
    reason: str = ""


def standing(each: Entry | Damaged, machines: Mapping[str, Machine]) -> Standing:
    """machines: this machine, by backend. Verifies the entry."""
    if owner := _stranger(each.folder):
        return Standing("foreign", f"belongs to {owner}")
    result = _verified(each) if isinstance(each, Entry) else each
    if isinstance(result, Damaged):
        return Standing("newer" if result.newer else "damaged", result.reason)
    key = result.key
    if key.build_version > BUILD_VERSION:
        return Standing("newer", f"build_version {key.build_version}, and this release's is {BUILD_VERSION}")
    if key.backend not in machines:
        return Standing("elsewhere", f"{key.backend} cannot run here")
    differing = key.difference(key.on(machines[key.backend]))
    reason = "; ".join(f"{part}: built for {mine}, here {theirs}" for part, mine, theirs in differing)
    return Standing("stale" if differing else "sound", reason)


def _stranger(folder: Path) -> str:
    """The owner's name where it is neither this user nor root, else ""."""
    try:
        status = folder.lstat()
    except OSError:
        return ""
    return "" if owned_by_us(status) else user_name(status.st_uid)


def _verified(entry: Entry) -> Entry | Damaged:
    """The entry, or the one that has taken its place since it was read: a build may be publishing just now."""
    try:
        entry.verify()
    except IntegrityError as error:
        now = read_entry(entry.folder.with_name(entry.name))
        if isinstance(now, Entry) and now.manifest != entry.manifest:
            return _verified(now)
        return Damaged(entry.folder, error)
    return entry


def _first_sound(found: Iterable[Entry], refused: Refused) -> Entry | None:
    for result in map(_verified, found):
        if isinstance(result, Entry):
            return result
        refused(result)
    return None


def _read(folders: Sequence[Path] | None, refused: Refused) -> Iterator[Entry]:
    for folder in cache_folders() if folders is None else folders:
        for entry in entries(folder):
            if isinstance(entry, Entry):
                yield entry
            elif not entry.newer:
                refused(entry)
