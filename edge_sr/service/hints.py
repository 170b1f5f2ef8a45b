"""Events of the kernel about incoming, where the package inotify_simple is installed: they hasten what a scan finds.

They are not relied on: the kernel drops events beyond 16,384 (inotify(7)), and network shares send none of other hosts.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any


class Hints:
    """Names that were closed or moved into place. A context manager. For one thread.

    available: whether there are events at all. overflowed: events were lost since this was last set to False: scan.
    """

    def __init__(self, incoming: int) -> None:
        self.overflowed = False
        self._inotify: Any = _watching(incoming)
        self.available = self._inotify is not None

    def fileno(self) -> int:
        """To wait for in select or poll; -1 without events."""
        return int(self._inotify.fileno()) if self.available else -1

    def names(self) -> list[str]:
        """What has come by now, each name once, in order. It does not wait."""
        if not self.available:
            return []
        from inotify_simple import flags

        events = self._inotify.read(timeout=0)
        if any(event.mask & flags.Q_OVERFLOW for event in events):
            self.overflowed = True
        return list(dict.fromkeys(event.name for event in events if event.name))

    def close(self) -> None:
        if self.available:
            self._inotify.close()
        self._inotify, self.available = None, False

    def __enter__(self) -> Hints:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _watching(incoming: int) -> Any:
    """None where there is no package, or the system gives no watch."""
    try:
        from inotify_simple import INotify, flags
    except ImportError:
        return None
    try:
        inotify = INotify()
    except OSError:
        return None
    try:
        # By the open folder: its path may lead elsewhere by now.
        inotify.add_watch(f"/proc/self/fd/{incoming}", flags.CLOSE_WRITE | flags.MOVED_TO | flags.ONLYDIR)
    except OSError:
        inotify.close()
        return None
    return inotify
