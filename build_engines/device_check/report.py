"""The report: one JSON document, written anew after every step, so that a crash of a driver leaves what was found."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from build_engines.device_check.privacy import Private
from build_engines.device_check.steps import Result
from edge_sr import __version__
from edge_sr.image.atomic import write_atomically

SCHEMA_VERSION = 1
KIND = "edge-sr device-check"


@dataclass
class Report:
    """path: written for the first time by ``claim``. head: what is known before the first step.

    running: the step that is under way. seconds: since the start.
    """

    path: Path
    head: Mapping[str, object]
    simulated: bool
    private: Private
    results: list[Result] = field(default_factory=list)
    running: str | None = None
    complete: bool = False
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether every step was taken and none failed. What this machine does not have is no failure."""
        return self.complete and all(result.good for result in self.results)

    def claim(self, *, overwrite: bool) -> None:
        """Write it without steps. UsageError where it exists, EnvironmentFault where it cannot be written."""
        write_atomically(self.path, self.content(), overwrite=overwrite)

    def write(self) -> None:
        """As it stands now, over what ``claim`` wrote."""
        write_atomically(self.path, self.content(), overwrite=True)

    def content(self) -> bytes:
        cleaned = self.private.without(_plain(self.to_json()))
        return json.dumps(cleaned, indent=1, allow_nan=False).encode() + b"\n"

    def to_json(self) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": KIND,
            "version": __version__,
            "simulated": self.simulated,
            "complete": self.complete,
            "passed": self.passed,
            "running": self.running,
            "seconds": round(self.seconds, 1),
            **self.head,
            "steps": [result.to_json(simulated=self.simulated) for result in self.results],
        }


def _plain(value: object) -> object:
    """What JSON can hold: no NaN and no infinity, which a broken engine may well give."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
