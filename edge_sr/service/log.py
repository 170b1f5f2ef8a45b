"""The service's log: one JSON object a line on stderr, where the journal takes it.

Names of files and words out of files carry patient data, so none can stand here: a value is a number, a job's id, or a
word of our own code.
"""

from __future__ import annotations

import json
import os
import re
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

from edge_sr.errors import EdgeSRError

Value = str | int | float | bool | None
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+-]{0,79}")  # neither a space nor a slash: no sentence and no path
WITHHELD = "withheld"  # stands where a value is no code


class EventLog:
    """write: takes one line with its end; the default is one write(2) to stderr, so lines of threads never mix."""

    def __init__(
        self,
        write: Callable[[bytes], object] = lambda line: os.write(2, line),
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._write, self._now = write, now

    def info(self, event: str, *, job: str | None = None, **values: Value) -> None:
        self._line("info", event, job, values)

    def warning(self, event: str, *, job: str | None = None, **values: Value) -> None:
        self._line("warning", event, job, values)

    def error(self, event: str, *, job: str | None = None, **values: Value) -> None:
        self._line("error", event, job, values)

    def bug(self, error: BaseException, *, job: str | None = None) -> None:
        """An exception that nobody foresaw: its kind and its places in the code; what it says may quote a file."""
        self._line("error", "bug", job, {"kind": type(error).__name__}, told={"at": places(error)})

    def failed(self, error: EdgeSRError, code: int) -> None:
        """Why the process ends, in full: it is about this machine and its models. Never for a picture's fault."""
        values: dict[str, Value] = {"exit_code": code, "kind": type(error).__name__}
        self._line("error", "failed", None, values, told={"what": str(error)})

    def note(self, text: str) -> None:
        """A line about a model or an engine, from before any picture was looked at."""
        self._line("warning", "note", None, {}, told={"what": text})

    def _line(
        self,
        level: str,
        event: str,
        job: str | None,
        values: Mapping[str, Value],
        *,
        told: Mapping[str, object] | None = None,
    ) -> None:
        record: dict[str, object] = {"time": self._now().isoformat(timespec="milliseconds"), "level": level}
        record["event"] = event
        if job is not None:
            record["job"] = code(job)
        record.update((key, code(value) if isinstance(value, str) else value) for key, value in values.items())
        record.update(told or {})
        with suppress(OSError):  # a log that cannot be written is no reason to stop
            self._write(json.dumps(record).encode() + b"\n")


def code(value: str) -> str:
    """The value where it can be a code or an id, else a word that says it was kept back."""
    return value if _CODE.fullmatch(value) else WITHHELD


def places(error: BaseException) -> list[str]:
    """Where an exception went through, the innermost last: "stages.py:120:_compute"."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{Path(frame.filename).name}:{frame.lineno}:{frame.name}" for frame in frames[-12:]]
