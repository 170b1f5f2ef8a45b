"""What systemd is told: sd_notify(3) by its own protocol, one datagram of KEY=VALUE lines to NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

SEND_S = 1.0  # how long a full queue of systemd's may hold us up
VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Tells systemd, or nobody where it has not started us.

    environ: what it says of the socket is taken out of it, so that no child speaks in our name.
    watchdog_s: within how many seconds the next sign of life is due; None where none is waited for.
    """

    def __init__(self, environ: MutableMapping[str, str] = os.environ) -> None:
        address, usec, pid = (environ.pop(name, "") for name in VARIABLES)
        self.watchdog_s = _watchdog_s(usec, pid)
        self._status = ""
        self._socket: socket.socket | None = None
        if address.startswith(("/", "@")):
            self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
            self._socket.settimeout(SEND_S)
            self._address = "\0" + address[1:] if address.startswith("@") else address

    @property
    def listened_to(self) -> bool:
        return self._socket is not None

    def ready(self, status: str) -> None:
        self._status = status
        self._send(f"READY=1\nSTATUS={status}")

    def status(self, status: str) -> None:
        """One line for ``systemctl status``; the same line again is not sent."""
        if status != self._status:
            self._status = status
            self._send(f"STATUS={status}")

    def watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def stopping(self, status: str) -> None:
        self._status = status
        self._send(f"STOPPING=1\nSTATUS={status}")

    def extend_timeout(self, seconds: float) -> None:
        """Starting or stopping goes on and needs as long as this, counted from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}")

    def _send(self, lines: str) -> None:
        if self._socket is not None:
            with suppress(OSError):  # systemd starts anew whom it does not hear; to fail here would help nobody
                self._socket.sendto(lines.encode(), self._address)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _watchdog_s(usec: str, pid: str) -> float | None:
    """Of WATCHDOG_USEC where WATCHDOG_PID is this process or is not told; see sd_watchdog_enabled(3)."""
    if not usec.isdecimal() or int(usec) == 0 or (pid and pid != str(os.getpid())):
        return None
    return int(usec) / 1e6
