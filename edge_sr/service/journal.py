"""A line for each job's end, for people: which picture was it? The service itself never reads it.

Here alone, in a folder that only the service's user may enter, stand names of files beside the jobs.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone

from edge_sr.errors import UsageError
from edge_sr.service.claim_folder import look_into
from edge_sr.service.files import JOB, names_in, open_regular
from edge_sr.service.spool import Spool

FILE = re.compile(r"jobs-[0-9]{4}-[0-9]{2}\.jsonl")
LEAST_DIGITS = 8  # of a job or a key that are enough to find it


class Journal:
    """Appends to state/jobs-YYYY-MM.jsonl. missed: lines that could not be written."""

    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self.missed = 0

    def append(
        self,
        *,
        job: str,
        name: str,
        outcome: str,
        job_key: str | None = None,
        reason: str | None = None,
        output: str | None = None,
    ) -> bool:
        """One line. outcome: "published", "existed", "quarantined" or "requeued". output: the picture's name.

        False where the disk would not take it, which stops no job: the pictures and their sidecars are what counts.
        """
        now = datetime.now(timezone.utc)
        line = {
            "time": now.isoformat(timespec="milliseconds"),
            "job": job,
            "job_key": job_key,
            "name": name,
            "outcome": outcome,
            "reason": reason,
            "output": output,
        }
        try:
            self._write(f"jobs-{now:%Y-%m}.jsonl", (json.dumps(line) + "\n").encode())
        except OSError:
            self.missed += 1
            return False
        return True

    def _write(self, name: str, line: bytes) -> None:
        """Whole or not at all, also beside another process: ``edge-sr requeue`` writes here too."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=self._spool.state)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            if size == 0:
                self._to_owner_of_state(descriptor)
            if os.write(descriptor, line) < len(line):
                os.ftruncate(descriptor, size)
                raise OSError("the disk is full")
        finally:
            os.close(descriptor)

    def _to_owner_of_state(self, descriptor: int) -> None:
        """A file that root's ``edge-sr requeue`` has made must be the service's to write."""
        owner = os.fstat(self._spool.state)
        if os.geteuid() == 0 and owner.st_uid != 0:
            os.fchown(descriptor, owner.st_uid, owner.st_gid)


def find(spool: Spool, text: str) -> Iterator[dict[str, object]]:
    """The lines of a job, or of a job key, by their first digits; the oldest first. UsageError for too few digits."""
    if len(text) < LEAST_DIGITS or not re.fullmatch(r"[0-9a-f]+", text):
        raise UsageError(
            "is neither a job nor a job key", where=text, expected="its first 8 hexadecimal digits or more"
        )
    for name in sorted(filter(FILE.fullmatch, names_in(spool.state))):
        yield from (line for line in _lines(spool, name) if _fits(line, text))


def at_hand(spool: Spool, text: str) -> Iterator[dict[str, object]]:
    """Lines of the same kind for jobs that have not ended: those in work that begin with ``text``."""
    for job in sorted(job for job in names_in(spool.work) if JOB.fullmatch(job) and job.startswith(text)):
        with suppress(OSError):  # it has just ended
            name = look_into(job, folder=spool.work).name
            yield {"time": None, "job": job, "job_key": None, "name": name, "outcome": "at hand", "reason": None}


def _lines(spool: Spool, name: str) -> Iterator[dict[str, object]]:
    """Lines that cannot be read are left out: somebody may have edited the file."""
    with os.fdopen(open_regular(name, folder=spool.state), "rb") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue
            if isinstance(line, dict):
                yield line


def _fits(line: dict[str, object], text: str) -> bool:
    return any(str(line.get(field) or "").startswith(text) for field in ("job", "job_key"))
