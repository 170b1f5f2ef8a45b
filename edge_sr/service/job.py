"""One picture on its way through the stages, and how it leaves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from edge_sr.image.radiograph import Radiograph
from edge_sr.service.claims import Claim
from edge_sr.service.outputs import Published
from edge_sr.service.tally import JobEnd
from edge_sr.service.work import Result
from edge_sr.timing import Phases

# Ends of an offer that are no end of a job.
GONE, UNCLAIMED, STILL_WRITTEN, NO_SPACE = "gone", "unclaimed", "still-written", "no-space"


@dataclass
class Job:
    """One picture on its way through the stages."""

    claim: Claim
    began_s: float
    phases: Phases = field(default_factory=Phases)
    sha256: str | None = None
    job_key: str = ""
    radiograph: Radiograph | None = None
    found: Published | None = None  # before computing: the result was there already
    result: Result | None = None

    @property
    def pixels(self) -> int:
        """Of what it holds in memory now; 0 without a picture."""
        if self.result is not None:
            return int(self.result.pixels.size)
        return 0 if self.radiograph is None else int(self.radiograph.pixels.size)

    def share(self, ms: Mapping[str, float], jobs: int) -> None:
        """Its part of times that so many jobs had together."""
        for phase, each in ms.items():
            self.phases.add(phase, each / jobs)


@dataclass(frozen=True)
class OfferEnd(JobEnd):
    """How an offer ended. claim: still held where the result is LATER or NO_SPACE, or UNCLAIMED without one.

    name: of the file in incoming; for the loop, never for a log. began_s: of the steps' clock, at the claim.
    needed_bytes: what there was no space for, as far as that is known.
    """

    claim: Claim | None = None
    name: str = ""
    began_s: float = 0.0
    needed_bytes: int = 0
