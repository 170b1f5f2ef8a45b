"""SIGTERM and SIGINT: the first asks the loop to end in order, the second ends the process at once."""

from __future__ import annotations

import os
import signal
import socket
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopSignals:
    """Inside its block ``asked`` tells of a first signal, and ``fileno()`` becomes readable with it.

    For the main thread. The second signal is _exit(128 + n): whatever was claimed stays claimed, and the next start
    takes it up.
    """

    def __init__(self) -> None:
        self.asked: signal.Signals | None = None
        self._read, self._write = socket.socketpair()

    def __enter__(self) -> StopSignals:
        for end in (self._read, self._write):
            end.setblocking(False)
        self._before = {number: signal.signal(number, self._caught) for number in SIGNALS}
        self._wakeup_before = signal.set_wakeup_fd(self._write.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._read.close()
        self._write.close()

    def fileno(self) -> int:
        return self._read.fileno()

    def drain(self) -> None:
        try:
            while self._read.recv(64):
                pass
        except BlockingIOError:
            pass

    def _caught(self, number: int, frame: FrameType | None) -> None:
        if self.asked is not None:
            os._exit(128 + number)
        self.asked = signal.Signals(number)
