"""What the service tells of itself: one JSON document a connection, over a unix socket."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

from edge_sr.errors import EnvironmentFault

SCHEMA_VERSION = 1
KIND = "edge-sr status"
SOCKET_NAME = "status.sock"
LONGEST_PATH = 100  # bytes; sockaddr_un holds 107
ANSWER_S = 5.0  # a loop that turns answers within a moment
LARGEST_ANSWER = 1 << 20


class StatusSocket:
    """Listens at ``path``; ``answer`` takes each connection that waits and gives it the document.

    The caller holds the spool's lock, so a socket that lies there is left from a service that died.
    mode: who may ask. There is nothing of a picture in the document, not even its name.
    """

    def __init__(self, path: Path, document: Callable[[], Mapping[str, object]], *, mode: int = 0o666) -> None:
        self.path, self._document = path, document
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            _remove_socket(path)
            with _short(path) as address:
                self._socket.bind(address)
            path.chmod(mode)
            self._socket.listen(16)
        except OSError as error:
            self._socket.close()
            raise EnvironmentFault(
                f"the status socket cannot be made ({error.strerror})", where=path, hint=f"ls -ld {path.parent}"
            ) from error

    def __enter__(self) -> StatusSocket:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
        with suppress(OSError):
            _remove_socket(self.path)

    def fileno(self) -> int:
        return self._socket.fileno()

    def answer(self) -> None:
        """Never waits: the document is smaller than what the kernel takes at once, and who does not read loses it."""
        content = b""
        while True:
            try:
                asker, _ = self._socket.accept()
            except OSError:
                return  # nobody else waits, or there is no descriptor left: they ask again
            content = content or json.dumps(self._document()).encode() + b"\n"
            with asker, suppress(OSError):
                asker.setblocking(False)
                asker.send(content)


def ask(path: Path, *, timeout_s: float = ANSWER_S) -> dict[str, object] | None:
    """The document of the service behind the socket; None where nobody listens.

    EnvironmentFault where somebody listens and gives no answer, or may not be asked.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as asker:
        asker.settimeout(timeout_s)
        try:
            with _short(path) as address:
                asker.connect(address)
            content = b"".join(_answer(asker))
            document = json.loads(content)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED, errno.ENOTSOCK):
                return None
            why = "no answer" if isinstance(error, TimeoutError) or error.errno == errno.EAGAIN else error.strerror
            raise EnvironmentFault(f"the service cannot be asked ({why})", where=path) from error
        except ValueError as error:
            raise EnvironmentFault("what answers there is no edge-sr", where=path) from error
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise EnvironmentFault("what answers there is no edge-sr", where=path)
    return document


def _answer(asker: socket.socket) -> Iterator[bytes]:
    left = LARGEST_ANSWER
    while left > 0 and (part := asker.recv(1 << 16)):
        left -= len(part)
        yield part


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """The path in a form that fits sockaddr_un: through a descriptor of its folder where it is long."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _remove_socket(path: Path) -> None:
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.lstat().st_mode):
            path.unlink()
