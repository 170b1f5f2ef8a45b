"""Every system call that changes a folder, counted, and one of them stopped: by the end of the process, or a fault."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from edge_sr.service import rename

CALLS = ("open", "write", "fsync", "unlink", "rmdir", "mkdir", "link", "rename", "ftruncate")
KILLED = 77


class Calls:
    """count: calls by now. stop: what to do instead of call number ``at``, or right after it."""

    def __init__(self, stop: Callable[[], object], *, at: int, after: bool = False) -> None:
        self.count, self.at, self.after, self.stop = 0, at, after, stop

    def wrap(self, call: Callable[..., object]) -> Callable[..., object]:
        def wrapped(*args: object, **kwargs: object) -> object:
            self.count += 1
            here = self.count - 1 == self.at
            if here and not self.after:
                self.stop()
            result = call(*args, **kwargs)
            if here and self.after:
                self.stop()
            return result

        return wrapped


@contextmanager
def stopped(calls: Calls) -> Iterator[Calls]:
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, calls.wrap(getattr(os, name)))
        patch.setattr(rename, "_renameat2", calls.wrap(rename._renameat2))
        yield calls


def dies_at(number: int, act: Callable[[], object]) -> bool:
    """Run ``act`` in a process that is gone before its call of that number; False where it ends before."""
    child = os.fork()
    if child == 0:
        try:
            with stopped(Calls(lambda: os._exit(KILLED), at=number)):
                act()
            os._exit(0)
        except BaseException:
            os._exit(1)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, KILLED), f"the child ended with {status}"
    return status == KILLED
