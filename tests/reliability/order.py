"""The order of calls by which a result becomes durable, read from what ``strace -f -y`` wrote.

For each job: the temporary file is made, written, fsynced, renamed to its name; the sidecar before the picture; then
outgoing is fsynced; and only then is the claim dropped, by the rename out of work. After that done is fsynced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

CALLS = "openat,open,creat,write,pwrite64,writev,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
STRACE = ("strace", "-f", "-y", "-s", "0", "-qq", "--seccomp-bpf", "-e", "signal=none")
PART = re.compile(r"\.([0-9a-f]{32})\.(png|json)\.part$")
_LINE = re.compile(r"^(\d+) +(?:\d+\.\d+ )?(.*)$")
_RESUMED = re.compile(r"^<\.\.\. (\w+) resumed>(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\) += (-?\d+|\?)(?:<(.*)>)?(?: .*)?$")


@dataclass(frozen=True)
class Call:
    """paths: those that the call names or that its descriptors stand for, joined where both are given."""

    name: str
    paths: tuple[str, ...]
    result: int
    flags: str = ""


def strace_command(output: Path, *, calls: str = CALLS, inject: Iterable[str] = ()) -> list[str]:
    """What stands in front of the command to be traced. inject: as strace's -e inject=, without that word."""
    faults = [word for each in inject for word in ("-e", f"inject={each}")]
    return [*STRACE, "-e", f"trace={calls}", *faults, "-o", str(output)]


def parse(lines: Iterable[str]) -> Iterator[Call]:
    """The calls that were finished, in the order in which they returned."""
    pending: dict[str, str] = {}
    for line in lines:
        match = _LINE.match(line.rstrip("\n"))
        if match is None:
            continue
        pid, text = match.groups()
        if text.endswith("<unfinished ...>"):
            pending[pid] = text.removesuffix("<unfinished ...>").rstrip()
            continue
        resumed = _RESUMED.match(text)
        if resumed is not None:
            text = pending.pop(pid, f"{resumed.group(1)}(") + resumed.group(2)
        call = _call(text)
        if call is not None:
            yield call


def _call(text: str) -> Call | None:
    match = _CALL.match(text)
    if match is None or match.group(3) == "?":
        return None
    name, words, result, opened = match.groups()
    arguments = list(_arguments(words))
    paths = tuple(_paths(arguments))
    if opened is not None and name in ("openat", "open", "creat"):
        paths = (_unescaped(opened),)
    return Call(name, paths, int(result), ",".join(arguments[1:]))


def _arguments(words: str) -> Iterator[str]:
    """Cut at the commas that stand in neither quotes nor angle brackets."""
    start, quoted, depth, skip = 0, False, 0, False
    for place, letter in enumerate(words):
        if skip:
            skip = False
        elif letter == "\\":
            skip = True
        elif letter == '"' and not depth:
            quoted = not quoted
        elif not quoted and letter in "<>":
            depth = max(0, depth + (1 if letter == "<" else -1))
        elif letter == "," and not quoted and not depth:
            yield words[start:place].strip()
            start = place + 1
    yield words[start:].strip()


def _paths(arguments: list[str]) -> Iterator[str]:
    """A descriptor's path; a name after a descriptor is joined to it, as in the calls that end in "at"."""
    folder = ""
    for argument in arguments:
        if argument.startswith('"') and argument.endswith('"'):
            name = _unescaped(argument[1:-1])
            yield name if name.startswith("/") or not folder else f"{folder}/{name}"
            folder = ""
        elif (match := re.match(r"^(?:AT_FDCWD|\d+)<(.*)>$", argument)) is not None:
            if folder:
                yield folder
            folder = _unescaped(match.group(1))
    if folder:
        yield folder


def _unescaped(text: str) -> str:
    """Also where the kernel says that the name is gone meanwhile."""
    plain = text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1", "replace")
    return plain.decode(errors="surrogateescape").removesuffix(" (deleted)")


@dataclass
class _Job:
    written: dict[str, bool] = field(default_factory=dict)  # path of a temporary file -> was it fsynced since
    published: dict[str, str] = field(default_factory=dict)  # suffix -> path
    settled: bool = False  # outgoing was fsynced after the picture's rename
    claim: str = ""
    dropped: bool = False


class Order:
    """Follows the calls; ``faults`` at the end. published: jobs of which both files were made visible by rename."""

    def __init__(self, spool: Path) -> None:
        self._outgoing, self._work, self._done = (f"{spool}/{name}" for name in ("outgoing", "work", "done"))
        self._jobs: dict[str, _Job] = {}
        self._unsynced_drops: list[str] = []
        self.faults: list[str] = []

    @property
    def published(self) -> int:
        return sum(1 for job in self._jobs.values() if {"png", "json"} <= job.published.keys())

    @property
    def dropped(self) -> int:
        return sum(1 for job in self._jobs.values() if job.dropped)

    def follow(self, calls: Iterable[Call]) -> Order:
        for call in calls:
            if call.result < 0:
                continue
            if call.name in ("openat", "open", "creat"):
                self._opened(call)
            elif call.name in ("write", "pwrite64", "writev"):
                self._written(call)
            elif call.name in ("fsync", "fdatasync"):
                self._synced(call)
            elif call.name in ("rename", "renameat", "renameat2", "link", "linkat"):
                self._renamed(call)
        self.faults += [
            f"job {job[:8]}: done was not fsynced after its claim was dropped" for job in self._unsynced_drops
        ]
        return self

    def _job(self, name: str) -> _Job:
        return self._jobs.setdefault(name, _Job())

    def _opened(self, call: Call) -> None:
        path = call.paths[0]
        if not path.startswith(f"{self._outgoing}/") or not ("O_CREAT" in call.flags or "O_WRONLY" in call.flags):
            return
        part = PART.search(path)
        if part is None:
            self.faults.append("a file in outgoing was written under its visible name")
        else:
            self._job(part.group(1)).written[path] = False

    def _written(self, call: Call) -> None:
        part = PART.search(call.paths[0]) if call.paths else None
        if part is not None:
            self._job(part.group(1)).written[call.paths[0]] = False

    def _synced(self, call: Call) -> None:
        path = call.paths[0]
        part = PART.search(path)
        if part is not None:
            self._job(part.group(1)).written[path] = True
        elif path == self._outgoing and call.name == "fsync":
            for job in self._jobs.values():
                job.settled = job.settled or "png" in job.published
        elif path == self._done:
            self._unsynced_drops.clear()

    def _renamed(self, call: Call) -> None:
        source, target = call.paths[0], call.paths[1]
        part = PART.search(source)
        if part is not None:
            self._publishes(part.group(1), part.group(2), source, target)
        elif source.startswith(f"{self._work}/") and target.startswith(f"{self._done}/"):
            self._drops(source[len(self._work) + 1 :].partition("/")[0])

    def _publishes(self, name: str, suffix: str, source: str, target: str) -> None:
        job = self._job(name)
        if not job.written.get(source, False):
            self.faults.append(f"job {name[:8]}: its {suffix} was renamed without an fsync after the last write")
        if suffix == "png" and "json" not in job.published:
            self.faults.append(f"job {name[:8]}: the picture became visible before its sidecar")
        job.published[suffix] = target
        job.settled = False

    def _drops(self, name: str) -> None:
        job = self._job(name)
        if "png" not in job.published:
            self.faults.append(f"job {name[:8]}: the claim was dropped before the result was published")
        elif not job.settled:
            self.faults.append(f"job {name[:8]}: the claim was dropped before outgoing was fsynced")
        job.dropped = True
        self._unsynced_drops.append(name)
