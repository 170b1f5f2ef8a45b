"""The document behind ``edge-sr status``, and the line that systemd shows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from edge_sr import __version__
from edge_sr.service import tally
from edge_sr.service.status import KIND, SCHEMA_VERSION
from edge_sr.service.tally import Tally

# Why no picture is taken now: code -> for people.
REASONS = {
    "loading": "the model is being loaded",
    "stopping": "the service is stopping",
    "stalled": "a stage has been busy with one thing for too long",
    "disk-full": "no space is left on the disk; it goes on by itself",
    "folder-unreadable": "the folder incoming cannot be read; it goes on by itself",
    "passing-fault": "the last attempt met a fault of the machine; it is tried again by itself",
}


class Queue(Protocol):
    """What the report asks of the feed."""

    def to_json(self) -> dict[str, object]: ...

    def disk_to_json(self) -> dict[str, object]: ...


@dataclass
class Report:
    """What is told of the service; reason is set by the loop, "" for ready.

    spool: where, for the one who asks. device: of the machine, see ``vitals``.
    """

    spool: str
    queue: Queue
    device: Callable[[], Mapping[str, object]]
    tally: Tally = field(default_factory=Tally)
    work: Mapping[str, object] = field(default_factory=dict)
    reason: str = "loading"
    stalled: str | None = None
    clock: Callable[[], float] = time.time

    def __post_init__(self) -> None:
        self._start_time = self.clock()

    def document(self) -> dict[str, object]:
        now = self.clock()
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "version": __version__,
            "pid": os.getpid(),
            "spool": self.spool,
            "start_time": round(self._start_time, 3),
            "uptime_s": round(now - self._start_time, 1),
            "live": True,  # whoever is answered knows that the loop turns
            "ready": not self.reason,
            "reason": self.reason or None,
            "stalled_stage": self.stalled,
            "work": dict(self.work),
            "queue": self.queue.to_json(),
            "jobs": self.tally.to_json(),
            "last": self.tally.last_to_json(),
            "last_done": None if self.tally.last_done_s is None else round(self.tally.last_done_s, 3),
            "disk": self.queue.disk_to_json(),
            "device": dict(self.device()),
        }

    def line(self) -> str:
        """Counts and nothing of any file."""
        state = f"not ready: {REASONS[self.reason]}" if self.reason else "ready"
        done, quarantined = self.tally.total(tally.DONE), self.tally.total(tally.QUARANTINED)
        return f"{state}; {done} done, {quarantined} in quarantine, {self.queue.to_json()['waiting']} waiting"
