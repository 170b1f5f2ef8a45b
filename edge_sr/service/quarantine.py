"""Faults that no second try mends: the file and the reason, in a folder of quarantine together, for a person to see."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone

from edge_sr import __version__
from edge_sr.errors import EdgeSRError, InputError
from edge_sr.service.claim_folder import OTHER_REASON, REASON, look_into, opened
from edge_sr.service.claims import ATTEMPTS, Claim
from edge_sr.service.faults import REFUSED, passing
from edge_sr.service.files import JOB, names_in, remove, status_of, write_small
from edge_sr.service.naming import beside
from edge_sr.service.rename import fsync_folder, rename_noreplace
from edge_sr.service.spool import Spool

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Reason:
    """code: of a short list, for programs. what, expected, hint: for people. attempts: at which the service died."""

    code: str
    what: str
    expected: str = ""
    hint: str = ""
    input_sha256: str | None = None
    attempts: int = 0


@dataclass(frozen=True)
class Quarantined:
    """One folder of quarantine. name, reason: None where it lacks them. since: seconds since the epoch.

    others: what else lies in it.
    """

    job: str
    name: str | None
    reason: dict[str, object] | None
    since: float
    others: tuple[str, ...] = ()

    @property
    def code(self) -> str:
        return str((self.reason or {}).get("reason", ""))


@dataclass(frozen=True)
class Requeued:
    """incoming_name: another one than ``name`` where that was taken; None where there was no file left to put back."""

    job: str
    name: str | None
    incoming_name: str | None


def reason_of(error: EdgeSRError, *, name: str, input_sha256: str | None = None, attempts: int = 0) -> Reason:
    """The record of a fault. name: of the job's file, which is blotted out: it may be a patient's."""
    what, expected, hint = (_without(name, text) for text in (error.what, error.expected, error.hint))
    code = getattr(error, "reason", REFUSED)
    return Reason(code, what, expected, hint, input_sha256=input_sha256, attempts=attempts)


def _without(name: str, text: str) -> str:
    """Names of up to three characters would blot out words of ours, and tell nothing."""
    return text.replace(name, "FILE") if len(name) > 3 else text


def quarantine(spool: Spool, claim: Claim, reason: Reason) -> None:
    """Write the reason beside the file, then move the folder; on the disk when it returns. The file is not opened.

    DiskFull, EnvironmentFault: it stays claimed, and calling it again is right.
    """
    name = OTHER_REASON if claim.name == REASON else REASON
    with passing("work"), opened(claim.job, folder=spool.work) as inside:
        remove(ATTEMPTS, folder=inside)
        remove(name, folder=inside)  # of a try that did not end
        write_small(name, _record(claim.job, reason), folder=inside, mode=0o666)
    move_to_quarantine(spool, claim.job)


def _record(job: str, reason: Reason) -> bytes:
    record = {
        "schema_version": SCHEMA_VERSION,
        "job": job,
        "reason": reason.code,
        "what": reason.what,
        "expected": reason.expected,
        "hint": reason.hint,
        "input_sha256": reason.input_sha256,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "version": __version__,
        "attempts": reason.attempts,
    }
    return (json.dumps(record, indent=2) + "\n").encode()


def move_to_quarantine(spool: Spool, job: str) -> None:
    """Move the folder of a job whose reason is written; on the disk when it returns."""
    with passing("quarantine"):
        try:
            rename_noreplace(job, job, source_folder=spool.work, target_folder=spool.quarantine)
        except FileExistsError:  # empty, where a rename by steps was cut in two; rmdir(2) refuses a filled one
            os.rmdir(job, dir_fd=spool.quarantine)
            rename_noreplace(job, job, source_folder=spool.work, target_folder=spool.quarantine)
        fsync_folder(spool.quarantine)


def quarantined(spool: Spool) -> Iterator[Quarantined]:
    """Every job in quarantine, in no order. Folders of other names are nobody's jobs."""
    for job in filter(JOB.fullmatch, names_in(spool.quarantine)):
        with suppress(OSError):  # requeued in this moment
            status = os.stat(job, dir_fd=spool.quarantine, follow_symlinks=False)
            found = look_into(job, folder=spool.quarantine)
            yield Quarantined(job, found.name, found.reason, status.st_mtime, found.others)


def requeue(spool: Spool, job: str) -> Requeued:
    """Put the file of a job into incoming again, and remove the job's folder. A running service need not be stopped.

    InputError where there is no such job, or its folder holds more than was put there.
    """
    if not JOB.fullmatch(job) or status_of(job, folder=spool.quarantine) is None:
        raise InputError("no such job in quarantine", where=job, hint="edge-sr spool ls quarantine")
    with passing("quarantine"):
        found = look_into(job, folder=spool.quarantine)
        if found.others:
            what = f"its folder holds {1 + len(found.others)} files"
            raise InputError(what, where=job, expected="one, and the reason", hint="edge-sr spool verify")
        target = None if found.name is None else _to_incoming(spool, job, found.name)
        fsync_folder(spool.incoming)
        with opened(job, folder=spool.quarantine) as inside:
            for name in filter(None, (found.reason_name, ATTEMPTS)):
                remove(name, folder=inside)
        os.rmdir(job, dir_fd=spool.quarantine)
    return Requeued(job, found.name, target)


def _to_incoming(spool: Spool, job: str, name: str) -> str:
    for target in (name, beside(name, job[:8]), beside(name, job)):
        with suppress(FileExistsError):
            source = f"{job}/{name}"
            rename_noreplace(source, target, source_folder=spool.quarantine, target_folder=spool.incoming)
            return target
    raise InputError("incoming holds files of every name it could get", where=job, hint="ls of incoming")
