"""One line of JSON a picture: where its time went, what it cost in energy, and what the machine did meanwhile.

A line is appended by one write(2), so several processes may share a file and a reader sees whole lines. Power is known
only once the reading after the picture is there; until then its record waits in memory, and the next picture does not.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from types import TracebackType

from edge_sr.device.power.conditions import Conditions, throttled
from edge_sr.device.power.recorder import Recorder
from edge_sr.device.power.trace import Figures, Mark, between
from edge_sr.errors import EnvironmentFault, UsageError

SCHEMA_VERSION = 1
SECOND_LOOK_S = 0.01  # a long line of another process may be seen half, for microseconds
LAST_WAIT_S = 1.0  # at the end, for the reading after the last picture


class LineFile:
    """A file that grows by whole lines.

    UsageError for a pipe, device or folder, EnvironmentFault where it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if error.errno in (errno.EISDIR, errno.ENXIO):
                raise _no_file(path) from error
            raise EnvironmentFault(
                f"the log cannot be written ({error.strerror})", where=path, hint=f"ls -ld {path.parent}"
            ) from error
        if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
            self.close()
            raise _no_file(path)
        self._before_line = b"\n" if self._torn() else b""

    def append(self, line: str) -> None:
        """One line more. OSError where the disk is full."""
        content, self._before_line = self._before_line + line.encode() + b"\n", b""
        written = os.write(self._descriptor, content)
        if written < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _torn(self) -> bool:
        """Whether the file ends in half a line, as after a full disk, that nobody is about to finish."""
        size = self._half_line_at()
        if size is None:
            return False
        time.sleep(SECOND_LOOK_S)
        return self._half_line_at() == size

    def _half_line_at(self) -> int | None:
        size = os.fstat(self._descriptor).st_size
        return size if size > 0 and os.pread(self._descriptor, 1, size - 1) != b"\n" else None

    def close(self) -> None:
        os.close(self._descriptor)


def _no_file(path: Path) -> UsageError:
    return UsageError("is no regular file", where=path, expected="a file for the log, such as run.jsonl")


class LatencyLog:
    """A line a picture, and at the end one about all of them.

    recorder: entered by the caller, and open for as long as this. A disk that fills up ends the log and no picture.
    """

    def __init__(
        self,
        path: Path,
        recorder: Recorder,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._file, self._recorder = LineFile(path), recorder
        self._now = now
        self._before = Conditions()
        self._pending: deque[tuple[dict[str, object], float, float]] = deque()
        self._first_s, self._last_s, self._looked_s, self._count = 0.0, 0.0, 0.0, 0
        self._throttling: list[str] | None = None  # of all pictures so far
        self._first_mark: Mark | None = None
        self.fault: str | None = None  # why the log ended before its time

    def __enter__(self) -> LatencyLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def picture(self, record: Mapping[str, object], *, start_s: float, end_s: float) -> None:
        """One picture that was worked on from start_s to end_s of the recorder's clock; record: what is known of it."""
        if self._count == 0:
            self._first_s, self._before = start_s, self._recorder.conditions(start_s)
            self._looked_s = start_s
        self._last_s, self._count = end_s, self._count + 1
        known = {"schema_version": SCHEMA_VERSION, "kind": "picture", "time": self._time(), **record}
        self._pending.append((known, start_s, end_s))
        self._write_settled()

    def close(self) -> None:
        """Write what is left, and the record of the whole run, after LAST_WAIT_S at most for what is still missing."""
        deadline_s = self._recorder.clock() + LAST_WAIT_S
        self._recorder.sampler.ask_look()
        while self._count and not self._all_known() and self._recorder.clock() < deadline_s:
            self._recorder.wait(0.01)
        while self._pending:
            self._write_first()
        if self._count:
            self._write(self._whole_run())
        self._file.close()

    def _all_known(self) -> bool:
        return self._recorder.settled(self._last_s) and self._recorder.looked_since(self._last_s)

    def _time(self) -> str:
        return self._now().isoformat(timespec="milliseconds")

    def _write_settled(self) -> None:
        while self._pending and self._recorder.settled(self._pending[0][2]):
            self._write_first()

    def _write_first(self) -> None:
        known, start_s, end_s = self._pending.popleft()
        start = self._recorder.mark(start_s)
        if start_s == self._first_s:
            self._first_mark = start  # kept: the readings around it are forgotten after some minutes
        # From the end of the picture before: what was seen only after that had been written counts here.
        throttling = self._recorder.throttling(self._looked_s, end_s)
        self._looked_s = end_s
        self._throttling = _joined(self._throttling, throttling)
        self._write(known | self._measured(between(start, self._recorder.mark(end_s)), throttling))

    def _measured(self, figures: Figures | None, throttling: list[str] | None) -> dict[str, object]:
        """What meter and machine tell of a window; null is "not available"."""
        recorder = self._recorder
        return {
            "meter": None if recorder.meter is None else recorder.meter.name,
            "power_w": _rounded(None if figures is None else figures.power_w),
            "energy_j": _rounded(None if figures is None else figures.energy_j),
            "power_readings": 0 if figures is None else figures.readings,
            "idle_w": _rounded(None if recorder.idle is None else recorder.idle.power_w),
            "power_mode": recorder.conditions().power_mode,
            "throttling": throttling,
        }

    def _whole_run(self) -> dict[str, object]:
        """From the first picture's begin to the last one's end, with all that lies between them."""
        figures = between(self._first_mark, self._recorder.mark(self._last_s))
        after = self._recorder.conditions()
        throttling = _joined(self._throttling, throttled([self._before, after]))
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "run",
            "time": self._time(),
            "pictures": self._count,
            "seconds": round(self._last_s - self._first_s, 6),
            **self._measured(figures, throttling),
            "joules_per_picture": _rounded(None if figures is None else figures.energy_j / self._count),
            "rails_w": None if figures is None else {rail: _rounded(watts) for rail, watts in figures.mean_w.items()},
            "covers": None if self._recorder.meter is None else self._recorder.meter.covers,
            "degraded": None if throttling is None else bool(throttling),
            "before": self._before.to_json(),
            "after": after.to_json(),
        }

    def _write(self, record: Mapping[str, object]) -> None:
        if self.fault is not None:
            return
        try:
            self._file.append(json.dumps(record))
        except OSError as error:
            self.fault = f"{self._file.path}: the log ends here ({error.strerror})"


def _joined(some: list[str] | None, more: list[str] | None) -> list[str] | None:
    """Each reason once; None where neither knows."""
    return some if more is None else list(dict.fromkeys([*(some or ()), *more]))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
