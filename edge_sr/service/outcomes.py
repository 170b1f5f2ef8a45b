"""What becomes of a job: its result is told, it is quarantined, tried again later, or put back."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping

from edge_sr.errors import DeviceLost, EdgeSRError, EnvironmentFault, InputError
from edge_sr.service import tally
from edge_sr.service.claims import MOST_ATTEMPTS, Claim, give_back
from edge_sr.service.faults import TOO_OFTEN, DiskFull, StillWritten
from edge_sr.service.job import NO_SPACE, STILL_WRITTEN, Job, OfferEnd
from edge_sr.service.journal import Journal
from edge_sr.service.log import EventLog
from edge_sr.service.quarantine import Reason, quarantine, reason_of
from edge_sr.service.spool import Spool

# What an arrival is quarantined for, unopened.
UNOPENED = {
    "link": "is a symbolic link",
    "special-file": "is a pipe, socket or device",
    "several-links": "has several names (hard links)",
    "refused": "the service may not read it",
    "incomplete": "the file did not end properly for as long as the service waits",
}


class Outcomes:
    """Each method ends one job, and gives its end. Called by all stages; each job is in one of them at a time."""

    def __init__(
        self, spool: Spool, journal: Journal, log: EventLog, *, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._spool, self._journal, self._log, self._clock = spool, journal, log, clock
        self._bugs: Counter[str] = Counter()

    def done(self, job: Job) -> OfferEnd:
        """It is published and its claim is dropped."""
        assert job.found is not None
        self._bugs.pop(job.claim.job, None)
        self._journal.append(
            job=job.claim.job,
            name=job.claim.name,
            outcome="existed" if job.found.existed else "published",
            job_key=job.job_key,
            output=job.found.picture,
        )
        provenance = None if job.result is None else job.result.provenance
        pixels = None if job.result is None else (job.result.pixels.shape[1], job.result.pixels.shape[0])
        return self._end(job, tally.DONE, "existed" if job.found.existed else "", pixels=pixels, provenance=provenance)

    def put_back(self, held: Claim) -> OfferEnd:
        """To incoming for the next start; where its name is taken there, it stays claimed, which is as good."""
        try:
            back = give_back(self._spool, held)
        except EnvironmentFault:
            back = False
        return OfferEnd(held.job, tally.PUT_BACK, "" if back else "still-claimed", name=held.name)

    def ended_by(self, job: Job, error: Exception) -> OfferEnd:
        """The job's end where a step failed. DeviceLost is nobody's end and is raised again."""
        if isinstance(error, DeviceLost):
            raise error
        needed_bytes = 0 if job.result is None else job.result.pixels.nbytes
        job.radiograph = job.result = None  # a job that waits holds no picture
        if isinstance(error, StillWritten):
            return self._given_back_to_its_writer(job)
        if isinstance(error, InputError):
            found = reason_of(error, name=job.claim.name, input_sha256=job.sha256, attempts=job.claim.attempts)
            return self._quarantined(job, found)
        if isinstance(error, DiskFull):
            return self._end(job, NO_SPACE, "disk-full", needed_bytes=needed_bytes)
        if isinstance(error, (EnvironmentFault, OSError, MemoryError)):
            return self._end(job, tally.LATER, "memory" if isinstance(error, MemoryError) else "environment")
        return self._ended_by_bug(job, error)

    def _ended_by_bug(self, job: Job, error: Exception) -> OfferEnd:
        self._log.bug(error, job=job.claim.job)
        self._bugs[job.claim.job] += 1
        times = self._bugs[job.claim.job]
        if times < MOST_ATTEMPTS:
            return self._end(job, tally.LATER, "bug")
        what = f"{times} attempts ended in a fault of edge-sr itself ({type(error).__name__})"
        why = Reason(TOO_OFTEN, what, hint="edge-sr requeue after an upgrade", input_sha256=job.sha256, attempts=times)
        return self._quarantined(job, why)

    def _given_back_to_its_writer(self, job: Job) -> OfferEnd:
        if self.put_back(job.claim).reason:
            return self._end(job, tally.LATER, STILL_WRITTEN)
        return OfferEnd("", STILL_WRITTEN, name=job.claim.name)

    def unopened(self, job: Job, code: str) -> OfferEnd:
        """Quarantined for what it is. code: of an Arrival."""
        return self._quarantined(job, Reason(code, UNOPENED.get(code, code), attempts=job.claim.attempts))

    def _quarantined(self, job: Job, reason: Reason) -> OfferEnd:
        try:
            quarantine(self._spool, job.claim, reason)
        except DiskFull:
            return self._end(job, NO_SPACE, "disk-full")
        except EdgeSRError:
            return self._end(job, tally.LATER, "environment")
        self._bugs.pop(job.claim.job, None)
        self._journal.append(
            job=job.claim.job, name=job.claim.name, outcome="quarantined", job_key=job.job_key, reason=reason.code
        )
        return self._end(job, tally.QUARANTINED, reason.code)

    def _end(
        self,
        job: Job,
        result: str,
        reason: str = "",
        *,
        pixels: tuple[int, int] | None = None,
        provenance: Mapping[str, object] | None = None,
        needed_bytes: int = 0,
    ) -> OfferEnd:
        total_ms = (self._clock() - job.began_s) * 1e3
        return OfferEnd(
            job.claim.job,
            result,
            reason,
            dict(job.phases.ms),
            total_ms,
            pixels,
            provenance or {},
            claim=job.claim,
            name=job.claim.name,
            began_s=job.began_s,
            needed_bytes=needed_bytes,
        )
