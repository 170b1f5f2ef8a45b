"""What was put into a spool, and whether every piece of it came out once, whole and right."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.reliability.pictures import is_whole_png, sha256
from tests.reliability.service import wait_until

Reference = Mapping[str, str]  # sha256 of an input's bytes -> sha256 of the result's


class Ledger:
    """Hands files to a spool by rename, and remembers names and hashes. Names are plain ones without a dot inside."""

    def __init__(self, spool: Path) -> None:
        self.spool, self.given = spool, dict[str, str]()
        self._desk = spool.with_name(f"{spool.name}.desk")  # beside the spool, of the same file system
        self._desk.mkdir(parents=True, exist_ok=True)

    def give(self, name: str, content: bytes, *, hidden: bool = False) -> Path:
        """Written aside, then renamed in, as a careful sender does it. Without fsync: the rig cuts no power.

        hidden: under a dot and the name, for the caller to rename later.
        """
        part = self._desk / name
        part.write_bytes(content)
        self.given[name] = sha256(content)
        target = self.spool / "incoming" / (f".{name}" if hidden else name)
        part.rename(target)
        return target

    def waiting(self) -> int:
        """Visible files in incoming, and claims."""
        incoming = sum(1 for name in names(self.spool / "incoming") if not name.startswith("."))
        return incoming + len(names(self.spool / "work"))

    def settled(self, timeout_s: float) -> bool:
        """Wait until nothing is left to do, or nothing has moved for so long."""
        last, moved_s = -1, time.monotonic()
        while (left := self.waiting()) and time.monotonic() - moved_s < timeout_s:
            if left != last:
                last, moved_s = left, time.monotonic()
            time.sleep(0.05)
        return not left

    def faults(self, reference: Reference | None = None) -> Iterator[str]:
        """Of a settled spool in which every input is good: lost, duplicated, differing and stray files."""
        outgoing, done = set(names(self.spool / "outgoing")), Counter(map(plain_stem, names(self.spool / "done")))
        results = Counter(map(plain_stem, (name for name in outgoing if name.endswith(".png"))))
        for name, digest in self.given.items():
            stem = plain_stem(name)
            if not results[stem]:
                yield f"lost: {name} has no result"
            elif results[stem] > 1:
                yield f"duplicated: {name} has {results[stem]} results"
            else:
                yield from self._result_faults(f"{Path(name).stem}_x4", digest, reference)
            if done[stem] != 1:
                yield f"{name} is {done[stem]} times in done"
            elif sha256((self.spool / "done" / name).read_bytes()) != digest:
                yield f"{name} was changed on its way to done"
        yield from self._strays(outgoing)

    def _result_faults(self, stem: str, digest: str, reference: Reference | None) -> Iterator[str]:
        picture, sidecar = (self.spool / "outgoing" / f"{stem}{suffix}" for suffix in (".png", ".json"))
        if not (picture.exists() and sidecar.exists()):
            yield f"{stem}: a result without its sidecar, or under another name"
            return
        yield from pair_faults(picture, sidecar)
        if reference is not None and sha256(picture.read_bytes()) != reference[digest]:
            yield f"differing: {stem} is not what an undisturbed run makes"

    def _strays(self, outgoing: set[str]) -> Iterator[str]:
        stems = {f"{Path(name).stem}_x4" for name in self.given}
        strays = [name for name in outgoing if Path(name).stem not in stems]
        if strays:
            yield f"{len(strays)} stray files in outgoing, as {strays[0]}"
        for folder in ("incoming", "work", "quarantine"):
            left = names(self.spool / folder)
            if left:
                yield f"{len(left)} left in {folder}, as {left[0]}"

    def clear_results(self) -> None:
        """Forget all that was given; the folders of results are emptied. For a spool that is at rest."""
        for folder in ("outgoing", "done"):
            for name in names(self.spool / folder):
                (self.spool / folder / name).unlink()
        self.given.clear()

    def remove(self) -> None:
        shutil.rmtree(self._desk, ignore_errors=True)
        shutil.rmtree(self.spool, ignore_errors=True)


def names(folder: Path) -> list[str]:
    """[] of a folder that is not there yet."""
    try:
        return os.listdir(folder)  # noqa: PTH208  # any bytes may stand in a name
    except FileNotFoundError:
        return []


def plain_stem(name: str) -> str:
    """Of an input, of its result and of a second one of the same name: all the same."""
    return name.partition(".")[0].removesuffix("_x4")


def pair_faults(picture: Path, sidecar: Path) -> Iterator[str]:
    """Of one visible picture: torn, without a whole sidecar, or not the one that its sidecar tells of."""
    content = picture.read_bytes()
    if not is_whole_png(content):
        yield f"torn: {picture.name} has {len(content)} bytes and no end"
        return
    try:
        told = json.loads(sidecar.read_bytes())
    except FileNotFoundError:
        yield f"{picture.name} stands without its sidecar"
        return
    except ValueError:
        yield f"torn: {sidecar.name} is no JSON"
        return
    if told.get("output_sha256") != sha256(content):
        yield f"torn: {picture.name} is not the picture that its sidecar tells of"


def wait_for_file(path: Path, timeout_s: float) -> bool:
    return wait_until(path.exists, timeout_s, every_s=0.005)
