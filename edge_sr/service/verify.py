"""What in a spool is not as the service leaves it: every pair, every reason, and what lies in work that is nobody's."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from edge_sr.service.claim_folder import look_into
from edge_sr.service.faults import passing
from edge_sr.service.files import JOB, names_in, status_of
from edge_sr.service.outputs import PICTURE, SIDECAR, read_picture, read_sidecar
from edge_sr.service.quarantine import quarantined
from edge_sr.service.recovery import PART
from edge_sr.service.spool import Spool

SECOND_LOOK_S = 1.0


@dataclass(frozen=True)
class Finding:
    """damaged: False for what the service mends itself at its next start, or need not mind."""

    folder: str
    name: str
    what: str
    damaged: bool = True


def verify(spool: Spool) -> list[Finding]:
    """Every finding; of a spool that is being served, those that last: a pair is not whole while it is published."""
    found = list(_findings(spool))
    if found and spool.holder() is not None:
        time.sleep(SECOND_LOOK_S)
        again = set(_findings(spool))
        found = [each for each in found if each in again]
    return found


def _findings(spool: Spool) -> Iterator[Finding]:
    with passing("outgoing"):
        yield from _in_outgoing(spool)
    with passing("quarantine"):
        yield from _in_quarantine(spool)
    with passing("work"):
        yield from _in_work(spool)


def _in_outgoing(spool: Spool) -> Iterator[Finding]:
    at_hand = set(names_in(spool.work)) if spool.holder() is not None else set()
    names = set(names_in(spool.outgoing))
    for name in sorted(names):
        part = PART.fullmatch(name)
        if part is not None and part[1] not in at_hand:
            yield Finding("outgoing", name, "left by a service that was killed", damaged=False)
        elif part is None and not name.startswith(".") and not name.endswith((PICTURE, SIDECAR)):
            yield Finding("outgoing", name, "was not put there by the service", damaged=False)
        elif name.endswith(SIDECAR) and name.removesuffix(SIDECAR) + PICTURE not in names:
            yield Finding("outgoing", name, "has no picture beside it")
        elif name.endswith(PICTURE) and (what := _fault_of_pair(spool.outgoing, name.removesuffix(PICTURE))):
            yield Finding("outgoing", name, what)


def _fault_of_pair(outgoing: int, stem: str) -> str:
    """ "" for none; also where both have been taken away meanwhile."""
    if status_of(stem + PICTURE, folder=outgoing) is None:
        return ""
    if status_of(stem + SIDECAR, folder=outgoing) is None:
        return "has no sidecar beside it"
    sidecar, picture = read_sidecar(outgoing, stem + SIDECAR), read_picture(outgoing, stem + PICTURE)
    if sidecar is None or not sidecar.job_key:
        return "its sidecar cannot be read, or names no job key"
    if picture is None:
        return "is no whole PNG"
    if picture.job_key != sidecar.job_key:
        return "picture and sidecar are of different jobs"
    if picture.input_sha256 != sidecar.input_sha256:
        return "picture and sidecar name different inputs"
    if sidecar.output_sha256 and picture.sha256 != sidecar.output_sha256:
        return "was changed since it was published"
    return ""


def _in_quarantine(spool: Spool) -> Iterator[Finding]:
    for each in sorted(quarantined(spool), key=lambda each: each.job):
        if each.name is None:
            yield Finding("quarantine", each.job, "holds no input")
        if each.reason is None:
            yield Finding("quarantine", each.job, "holds no reason")
        if each.others:
            yield Finding("quarantine", each.job, f"holds {len(each.others)} more than the input and the reason")
    for name in sorted(name for name in names_in(spool.quarantine) if not JOB.fullmatch(name)):
        yield Finding("quarantine", name, "was not put there by the service", damaged=False)


def _in_work(spool: Spool) -> Iterator[Finding]:
    served = spool.holder() is not None
    for job in sorted(names_in(spool.work)):
        what = _fault_of_claim(spool, job)
        if what:
            yield Finding("work", job, what)
        elif not served:
            yield Finding("work", job, "waits for the service to start", damaged=False)


def _fault_of_claim(spool: Spool, job: str) -> str:
    foreign = "was not put there by the service, which leaves it alone"
    if not JOB.fullmatch(job):
        return foreign
    try:
        inside = look_into(job, folder=spool.work)
    except FileNotFoundError:
        return ""
    except OSError:
        return foreign
    return f"holds {len(inside.others)} more than the service put there" if inside.others else ""
