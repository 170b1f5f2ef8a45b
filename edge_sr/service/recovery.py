"""At the start: what an earlier process left at hand is brought to one of the states that the service knows.

Nothing is asked but the folders. Of a claimed file there are these: published, so it is finished; told to be faulty, so
it goes to quarantine; else it is done again. What the service cannot have put into work is left alone.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from edge_sr.service.claim_folder import REASON_PARTS, JobFolder, look_into
from edge_sr.service.claims import ATTEMPTS, Claim, drop
from edge_sr.service.faults import passing
from edge_sr.service.files import JOB, entries_of, names_in, remove, same_file, status_of
from edge_sr.service.outputs import Published, published_of
from edge_sr.service.publish import settle
from edge_sr.service.quarantine import move_to_quarantine
from edge_sr.service.spool import LAYOUT_FILE, Spool

PART = re.compile(r"\.([0-9a-f]{32})\.(json|png)\.part")  # as publish.part_name names them


@dataclass
class Recovery:
    """claims: to be done, oldest first. finished: were published. quarantined: jobs whose way there was finished.

    removed: hidden files of publishing and empty claims. foreign: what in work is nobody's, and was left alone.
    """

    claims: list[Claim] = field(default_factory=list)
    finished: list[tuple[Claim, Published]] = field(default_factory=list)
    quarantined: list[str] = field(default_factory=list)
    removed: int = 0
    foreign: int = 0


def recover(spool: Spool) -> Recovery:
    """Once, with the lock held, before anything is claimed. EnvironmentFault; then it may be called again."""
    found = Recovery()
    with passing("work"):
        for job in names_in(spool.work):
            _sort(spool, job, found)
    with passing("outgoing"):
        parts, found.finished = _look_through_outgoing(spool, found.claims)
        found.removed += sum(remove(name, folder=spool.outgoing) for name in parts)
    found.removed += remove(f".{LAYOUT_FILE}.part", folder=spool.state)
    _finish_published(spool, found)
    found.claims.sort(key=lambda claim: _age_key(spool, claim))
    return found


def _sort(spool: Spool, job: str, found: Recovery) -> None:
    """Put one thing of work where it belongs."""
    inside = _job_folder(spool, job)
    if inside is None or inside.others:
        found.foreign += 1
    elif inside.name is None:
        found.removed += _remove_empty(spool, job)
    elif inside.reason is not None:
        _remove_own(spool, job)
        move_to_quarantine(spool, job)
        found.quarantined.append(job)
    else:
        # What was at hand at a death was tried once; the file counts the tries after that.
        claim = Claim(job, inside.name, recovered=True, attempts=1 + inside.attempts)
        _end_rename(spool, claim)
        found.claims.append(claim)


def _job_folder(spool: Spool, job: str) -> JobFolder | None:
    if not JOB.fullmatch(job):
        return None
    try:
        return look_into(job, folder=spool.work)
    except (NotADirectoryError, PermissionError):
        return None
    except OSError:
        status = status_of(job, folder=spool.work)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            return None  # ELOOP: a link
        raise


def _remove_empty(spool: Spool, job: str) -> bool:
    """A claim that took no file yet, or has given it away already; a record without its file tells nothing."""
    _remove_own(spool, job)
    remove(f"{job}/{ATTEMPTS}", folder=spool.work)
    with suppress(OSError):
        os.rmdir(job, dir_fd=spool.work)
        return True
    return False


def _remove_own(spool: Spool, job: str) -> None:
    for name in REASON_PARTS:
        remove(f"{job}/{name}", folder=spool.work)


def _end_rename(spool: Spool, claim: Claim) -> None:
    """Where renames go by link and unlink, a kill between the two leaves the file under both names."""
    _remove_own(spool, claim.job)
    mine = status_of(claim.path, folder=spool.work)
    if mine is not None and mine.st_nlink > 1 and same_file(mine, status_of(claim.name, folder=spool.incoming)):
        os.unlink(claim.name, dir_fd=spool.incoming)


def _look_through_outgoing(spool: Spool, claims: list[Claim]) -> tuple[list[str], list[tuple[Claim, Published]]]:
    """Hidden files of publishing, and the claims whose results are there: in one go, for there may be a million."""
    parts: list[str] = []

    def others() -> Iterator[str]:
        for entry in entries_of(spool.outgoing):
            if PART.fullmatch(entry.name):
                parts.append(entry.name)
            else:
                yield entry.name

    return parts, list(published_of(spool.outgoing, others(), claims))


def _finish_published(spool: Spool, found: Recovery) -> None:
    if not found.finished:
        return
    settle(spool)  # the renames may have been in memory alone
    drop(spool, [claim for claim, _ in found.finished])
    done = {claim.job for claim, _ in found.finished}
    found.claims = [claim for claim in found.claims if claim.job not in done]


def _age_key(spool: Spool, claim: Claim) -> tuple[int, str]:
    status = status_of(claim.path, folder=spool.work)
    return (status.st_mtime_ns if status else 0), claim.name
