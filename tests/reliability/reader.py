"""Somebody who looks into outgoing all the time, and takes every visible file for what it seems to be."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.reliability.ledger import pair_faults
from tests.reliability.pictures import sha256

Look = tuple[int, int, int]  # inode, size, mtime in ns


class Reader:
    """Polls a folder in a thread: every picture that becomes visible is read whole at once, and may not change again.

    looks: how often the folder was listed. read: pictures that were read. faults: in words.
    """

    def __init__(self, outgoing: Path, *, pause_s: float = 0.001) -> None:
        self.outgoing, self.looks, self.read = outgoing, 0, 0
        self.faults: list[str] = []
        self._pause_s, self._over = pause_s, threading.Event()
        self._seen: dict[str, Look] = {}
        self._hashes: dict[str, str] = {}
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self.look()
        self._look_again()

    def _poll(self) -> None:
        pause_s = self._pause_s
        while not self._over.wait(pause_s):
            start_s = time.monotonic()
            try:
                self.look()
            except Exception as fault:  # a thread that dies would find nothing any more
                self.faults.append(f"the reader failed: {fault!r}")
            pause_s = max(self._pause_s, time.monotonic() - start_s)  # half of its time, so that others get on

    def look(self) -> None:
        """A sidecar without a picture is nobody's result yet: it may come and go, but it is whole."""
        self.looks += 1
        found = self._listed()
        for name, now in found.items():
            before = self._seen.get(name)
            if before is None:
                self._take(name)
            elif before != now and self._is_result(name, found):
                self.faults.append(f"{name} changed after it was visible")
        gone = [name for name in self._seen.keys() - found.keys() if name.endswith(".png")]
        self.faults += [f"{name} went away after it was visible" for name in gone]
        self._seen = found

    def _listed(self) -> dict[str, Look]:
        found = {}
        with os.scandir(self.outgoing) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    with suppress(FileNotFoundError):
                        status = entry.stat(follow_symlinks=False)
                        found[entry.name] = (status.st_ino, status.st_size, status.st_mtime_ns)
        return found

    def _is_result(self, name: str, listed: Mapping[str, Look]) -> bool:
        """Whether its picture was visible the last time, and is now."""
        picture = f"{name.rpartition('.')[0]}.png"
        return picture in self._seen and picture in listed

    def _take(self, name: str) -> None:
        path = self.outgoing / name
        if name.endswith(".png"):
            self.read += 1
            self.faults += pair_faults(path, path.with_suffix(".json"))
            self._hashes[name] = sha256(path.read_bytes())
        elif name.endswith(".json"):
            try:
                json.loads(path.read_bytes())
            except FileNotFoundError:
                pass
            except ValueError:
                self.faults.append(f"torn: {name} is no JSON")
        else:
            self.faults.append(f"{name} is neither a picture nor a sidecar")

    def _look_again(self) -> None:
        for name, digest in self._hashes.items():
            path = self.outgoing / name
            if not path.exists() or sha256(path.read_bytes()) != digest:
                self.faults.append(f"{name} holds other bytes than when it became visible")
