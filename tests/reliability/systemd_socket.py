"""The other end of NOTIFY_SOCKET: keeps each message with the moment it came."""

from __future__ import annotations

import os
import socket
import threading
import time
from types import TracebackType
from uuid import uuid4


class SystemdSocket:
    """A context manager. address: for the environment variable NOTIFY_SOCKET, in the abstract name space."""

    def __init__(self) -> None:
        self.address = f"@edge-sr-rig-{os.getpid()}-{uuid4().hex}"
        self.messages: list[tuple[float, dict[str, str]]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.bind("\0" + self.address[1:])
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> SystemdSocket:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b"END=1", "\0" + self.address[1:])
        self._thread.join()
        self._socket.close()

    def clear(self) -> None:
        with self._changed:
            self.messages.clear()

    def wait_for(self, key: str, timeout_s: float, *, value: str | None = None) -> float | None:
        """The moment (monotonic) of the first message with the key; None where none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._moment(key, value) is not None, timeout_s)
            return self._moment(key, value)

    def moments(self, key: str) -> list[float]:
        with self._changed:
            return [at for at, message in self.messages if key in message]

    def _moment(self, key: str, value: str | None) -> float | None:
        return next((at for at, each in self.messages if key in each and value in (None, each[key])), None)

    def _listen(self) -> None:
        while True:
            content = self._socket.recv(1 << 16)
            if content == b"END=1":
                return
            pairs = (line.partition("=") for line in content.decode(errors="replace").splitlines())
            with self._changed:
                self.messages.append((time.monotonic(), {key: value for key, _, value in pairs}))
                self._changed.notify_all()
