"""How far a build is, for a person: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TextIO

HEARTBEAT_S = 5.0
_BAR_CELLS = 24


class BuildProgress:
    """Takes the phases that a compiler reports, from any of its threads, and tells them.

    tell: gets a line each HEARTBEAT_S seconds where ``terminal`` is None; else a bar is drawn there. clock: seconds,
    never backwards. A compiler calls the three methods of phases through foreign code, so none of them ever raises.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        *,
        terminal: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.tell, self._terminal, self._clock = tell, terminal, clock
        self._lock = threading.Lock()
        self._phases: dict[str, tuple[int, int]] = {}  # name -> (steps done, steps in all), outermost first
        self._started = self._told = clock()
        self._width = 0  # of what the terminal shows
        self._cancelled = threading.Event()
        self._stopping = False  # and that has been told

    # what the compiler calls

    def phase_start(self, phase: str, steps: int) -> None:
        with self._lock:
            self._phases[phase] = (0, max(1, steps))

    def step_complete(self, phase: str, step: int) -> bool:
        """False asks the compiler to stop."""
        with self._lock:
            if phase in self._phases:
                self._phases[phase] = (step + 1, self._phases[phase][1])
        return not self._cancelled.is_set()

    def phase_finish(self, phase: str) -> None:
        with self._lock:
            self._phases.pop(phase, None)

    # what the thread that waits for the compiler calls

    def cancel(self) -> None:
        """The build ends at the compiler's next step."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def beat(self) -> None:
        """Tell how far it is, if it is time to; call it several times a second."""
        if self.cancelled and not self._stopping:
            self._stopping = True
            self.tell("stopping at the builder's next step")
        if self._terminal is not None:
            self._draw(self._terminal, f"{self._bar()} {self._text()}")
        elif self._clock() - self._told >= HEARTBEAT_S:
            self._told = self._clock()
            self.tell(self._text())

    def finish(self) -> None:
        """Wipe the bar."""
        if self._terminal is not None:
            self._draw(self._terminal, "")
            self._terminal.write("\r")
            self._terminal.flush()

    @property
    def fraction(self) -> float:
        """Of the outermost phase, with what its inner phases have done of its present step."""
        with self._lock:
            done, part = 0.0, 1.0
            for steps, of in self._phases.values():
                done += part * min(steps, of) / of
                part /= of
            return min(1.0, done)

    def _text(self) -> str:
        with self._lock:
            inner = list(self._phases.items())[-1:]
        where = "".join(f", {name} {done} of {of}" for name, (done, of) in inner)
        return f"compiling, {self._clock() - self._started:.0f} s{where}"

    def _bar(self) -> str:
        cells = round(self.fraction * _BAR_CELLS)
        return f"[{'#' * cells}{'.' * (_BAR_CELLS - cells)}]"

    def _draw(self, terminal: TextIO, line: str) -> None:
        line = line[:100]
        terminal.write("\r" + line.ljust(self._width))
        terminal.flush()
        self._width = len(line)
