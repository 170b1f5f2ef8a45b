"""What lies in the folder of a job, in work or in quarantine: the file, and what the service has put beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from edge_sr.artifacts.strict_json import parse_json
from edge_sr.errors import EdgeSRError
from edge_sr.service.claims import ATTEMPTS
from edge_sr.service.files import names_in, read_small, status_of

REASON, OTHER_REASON = "reason.json", "reason.1.json"  # the latter where the file itself is called like the former
REASON_PARTS = tuple(f".{name}.part" for name in (REASON, OTHER_REASON))
_OWN = {ATTEMPTS, *REASON_PARTS}


@dataclass(frozen=True)
class JobFolder:
    """name: of the job's file, None where there is none. reason: the fault's record, and the name of its file.

    others: what else there is beside the file, which nobody of ours has put there. attempts: as counted.
    """

    name: str | None
    reason: dict[str, object] | None
    reason_name: str
    others: tuple[str, ...]
    attempts: int


@contextmanager
def opened(job: str, *, folder: int) -> Iterator[int]:
    """The folder of a job as a descriptor. OSError where it is a link or no folder."""
    descriptor = os.open(job, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def look_into(job: str, *, folder: int) -> JobFolder:
    """The folder ``job`` inside the open ``folder``. OSError where it cannot be listed."""
    with opened(job, folder=folder) as inside:
        names = sorted(set(names_in(inside)) - _OWN)
        reasons = {name: record for name in names if (record := _reason(inside, name, job))}
        reason_name = next(iter(reasons), "")
        files = [name for name in names if name != reason_name]
        name = files[0] if files else None
        return JobFolder(name, reasons.get(reason_name), reason_name, tuple(files[1:]), _attempts(inside))


def _reason(folder: int, name: str, job: str) -> dict[str, object] | None:
    """The record where it is one of this job: no file that comes from outside knows the job's number."""
    if name not in (REASON, OTHER_REASON):
        return None
    try:
        raw = parse_json(read_small(name, folder=folder), name)
    except (OSError, EdgeSRError):
        return None
    return raw if isinstance(raw, dict) and raw.get("job") == job else None


def _attempts(folder: int) -> int:
    if status_of(ATTEMPTS, folder=folder) is None:
        return 0
    try:
        text = read_small(ATTEMPTS, folder=folder, most_bytes=16).strip()
    except OSError:
        return 0
    return int(text) if text.isdigit() else 0
