"""What each stage does with a job; what becomes of one where that fails is ``outcomes``. No threads here."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone

from edge_sr.errors import DeviceLost, EnvironmentFault
from edge_sr.service.arrivals import Arrival
from edge_sr.service.claims import Claim, Ends, begin_attempt, claim, copy_claimed, drop
from edge_sr.service.faults import CannotClaim, DiskFull
from edge_sr.service.files import status_of
from edge_sr.service.job import GONE, NO_SPACE, UNCLAIMED, Job, OfferEnd
from edge_sr.service.outcomes import Outcomes
from edge_sr.service.publish import Output, existing, publish, settle
from edge_sr.service.spool import Spool
from edge_sr.service.work import Decoder, Work
from edge_sr.timing import Phases


class Steps:
    """take, compute and publish, each for one thread; together they end every offer exactly once.

    DeviceLost and what nobody foresaw in the machinery itself come out of them; everything else is some job's end.
    ends: see ``edge_sr.image.ending``. most_bytes: of a file.
    """

    def __init__(
        self,
        spool: Spool,
        decoder: Decoder,
        outcomes: Outcomes,
        *,
        ends: Ends,
        most_bytes: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._spool, self._decoder, self._outcomes = spool, decoder, outcomes
        self._ends, self._most_bytes, self._clock = ends, most_bytes, clock
        self.work: Work | None = None  # set by the stage that opens it, before anything is offered

    def take(self, offer: Arrival | Claim) -> Job | OfferEnd:
        """Claim, copy, hash and decode."""
        began_s = self._clock()
        reason = "" if isinstance(offer, Claim) else offer.reason
        try:
            held = offer if isinstance(offer, Claim) else claim(self._spool, offer.name)
        except CannotClaim:
            return OfferEnd("", UNCLAIMED, "forbidden", name=offer.name)
        except DiskFull:
            return OfferEnd("", NO_SPACE, "disk-full", name=offer.name)
        except EnvironmentFault:
            return OfferEnd("", UNCLAIMED, "folder", name=offer.name)
        if held is None:
            return OfferEnd("", GONE, name=offer.name)
        job = Job(held, began_s)
        if reason:
            return self._outcomes.unopened(job, reason)
        try:
            self._decode(job)
        except Exception as error:
            return self._outcomes.ended_by(job, error)
        return job

    def _decode(self, job: Job) -> None:
        assert self.work is not None
        with job.phases("claim"):
            begin_attempt(self._spool, job.claim)
            content = copy_claimed(self._spool, job.claim, most_bytes=self._most_bytes, ends=self._ends)
        job.sha256 = content.sha256
        with content, job.phases("decode"):
            radiograph = self._decoder.decode(content.descriptor, sha256=content.sha256)
        job.job_key = self.work.job_key(radiograph)
        job.found = existing(self._spool, job.claim.name, job.job_key, scale=self.work.scale)
        if job.found is None:
            job.radiograph = radiograph

    def compute(self, jobs: Sequence[Job]) -> list[Job | OfferEnd]:
        """All in one go; where that fails, one by one, so that each has its own end."""
        assert self.work is not None
        pictures = [job.radiograph for job in jobs if job.radiograph is not None]
        phases = Phases()
        try:
            results = self.work(pictures, phases)
        except DeviceLost:
            self._put_all_back(jobs)
            raise
        except Exception as error:
            return self._one_by_one(jobs) if len(jobs) > 1 else [self._outcomes.ended_by(jobs[0], error)]
        for job, result in zip(jobs, results, strict=True):
            job.radiograph, job.result = None, result
            job.share(phases.ms, len(jobs))
        return list(jobs)

    def _one_by_one(self, jobs: Sequence[Job]) -> list[Job | OfferEnd]:
        ended: list[Job | OfferEnd] = []
        for number, job in enumerate(jobs):
            try:
                ended += self.compute([job])
            except DeviceLost:
                self._put_all_back([*(each for each in ended if isinstance(each, Job)), *jobs[number + 1 :]])
                raise
        return ended

    def _put_all_back(self, jobs: Sequence[Job]) -> None:
        """Or the device's fault would count as the pictures'."""
        for job in jobs:
            self._outcomes.put_back(job.claim)

    def publish(self, jobs: Sequence[Job]) -> list[OfferEnd]:
        """Encode and publish together, and only then let go of the claims; where it fails, one by one."""
        try:
            outputs = [self._output(job) for job in jobs if job.found is None]
            start_s = self._clock()
            names = {each.job: each for each in publish(self._spool, outputs)} if outputs else {}
            if len(outputs) < len(jobs):
                settle(self._spool)
        except Exception as error:
            if len(jobs) > 1:
                return [ended for job in jobs for ended in self.publish([job])]
            return [self._outcomes.ended_by(jobs[0], error)]
        faults = self._let_go(jobs)
        write_ms = (self._clock() - start_s) * 1e3
        for job in jobs:
            job.share({"write": write_ms}, len(jobs))
            job.found = job.found or names[job.claim.job]
        return [self._end_of(job, faults.get(job.claim.job)) for job in jobs]

    def _end_of(self, job: Job, fault: Exception | None) -> OfferEnd:
        return self._outcomes.done(job) if fault is None else self._outcomes.ended_by(job, fault)

    def _let_go(self, jobs: Sequence[Job]) -> dict[str, Exception]:
        """Drop the claims; which of them could not be, and why: a later try finds the result and drops again."""
        try:
            drop(self._spool, [job.claim for job in jobs])
            return {}
        except EnvironmentFault:
            pass
        faults: dict[str, Exception] = {}
        for job in jobs:
            try:
                if status_of(job.claim.path, folder=self._spool.work) is not None:  # the first ones may be gone already
                    drop(self._spool, [job.claim])
            except (EnvironmentFault, OSError) as error:
                faults[job.claim.job] = error
        return faults

    def _output(self, job: Job) -> Output:
        assert self.work is not None and job.result is not None
        with job.phases("encode"):
            picture = self.work.encode(job.result)
        sidecar = {
            **job.result.provenance,
            "job": job.claim.job,
            "job_key": job.job_key,
            "output_sha256": hashlib.sha256(picture).hexdigest(),
            "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "phases_ms": {name: round(ms, 3) for name, ms in job.phases.ms.items()},
        }
        text = json.dumps(sidecar, indent=2) + "\n"
        return Output(job.claim, job.job_key, picture, text.encode(), scale=self.work.scale)
