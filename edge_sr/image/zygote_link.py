"""The parent's end of a zygote: starting it, handing files to its children, hearing how they end, ending it."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy
import PIL

import edge_sr
from edge_sr.errors import EnvironmentFault
from edge_sr.image.zygote import AGAIN, DECODE, KILL

START_SECONDS = 60.0  # a board that boots reads Python from a slow card
GRACE_SECONDS = 5.0  # for the kernel to end a killed child that holds gigabytes, and to fork the next
FUTILE = 8  # children in turn that somebody killed before they got their file

# With -I and -S neither the environment, nor .pth files, nor the working folder say what is imported: the folders that
# this process has its own packages from do, behind the standard library.
BOOT = """
import sys
sys.path += sys.argv[3:]
from edge_sr.image.zygote import serve
serve(int(sys.argv[1]), sys.argv[2])
"""
NEEDED: tuple[ModuleType, ...] = (edge_sr, numpy, PIL)
INHERITED = ("LD_LIBRARY_PATH", "LD_PRELOAD")  # what loading the interpreter and NumPy may need
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


class ZygoteLost(Exception):
    """It died, or does not answer."""


class Child(NamedTuple):
    """way: the socket that it takes its file from and answers to."""

    pid: int
    way: socket.socket


class ZygoteLink:
    """A zygote of its own process session, so that a terminal's Ctrl-C does not reach it.

    rules: as JSON. EnvironmentFault where it cannot be started.
    """

    def __init__(self, rules: str, *, boot: str = BOOT) -> None:
        self.ended = False
        self._started = False
        self._stuck = False  # it could fork no child and waits until it is asked for one again
        self._waiting: Child | None = None
        try:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        except OSError as fault:
            raise _no_process(fault.strerror or "") from fault
        with theirs:
            folders = dict.fromkeys(str(Path(str(module.__file__)).absolute().parents[1]) for module in NEEDED)
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-S", "-c", boot, str(theirs.fileno()), rules, *folders],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    pass_fds=(theirs.fileno(),),
                    env=ENVIRONMENT | {name: os.environ[name] for name in INHERITED if name in os.environ},
                    cwd="/",
                    start_new_session=True,
                )
            except OSError as fault:
                self._control.close()
                raise _no_process(fault.strerror or "") from fault

    @property
    def pids(self) -> tuple[int, ...]:
        """The zygote and its children."""
        pid = self._process.pid
        with contextlib.suppress(OSError):  # a kernel without that file, or no such process any more
            return pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return (pid,)

    def begin(self, content: int) -> Child:
        """A child that has got the file behind the descriptor. ZygoteLost; EnvironmentFault where there is none."""
        for _ in range(FUTILE):
            child = self._next_child()
            try:
                socket.send_fds(child.way, [DECODE], [content])
                return child
            except ConnectionError:  # somebody killed it
                child.way.close()
        raise _no_process("they die before they begin")

    def finish(self, child: Child) -> None:
        """Whatever it is at, it ends."""
        child.way.close()
        if self.ended:
            return
        with contextlib.suppress(ConnectionError):  # the next begin() finds the zygote lost
            self._control.send(b"%b %d" % (KILL, child.pid))

    def end_of(self, child: Child) -> int:
        """The wait status of the child begun last, which is finished. ZygoteLost.

        A zygote that does not tell it is ended.
        """
        self.finish(child)
        try:
            return self._hear(GRACE_SECONDS) or 0
        except TimeoutError:
            self.end()
            return int(signal.SIGKILL)

    def _next_child(self) -> Child:
        """The youngest: those before it are dead."""
        if not self._started:
            self._await_start()
            self._close_stderr()
        if self._stuck:
            self._stuck = False
            with contextlib.suppress(ConnectionError):  # the next line finds it lost
                self._control.send(AGAIN)
        while self._waiting is None or self._is_more_to_hear(0):
            try:
                self._hear(GRACE_SECONDS)
            except TimeoutError:
                raise ZygoteLost from None
        child, self._waiting = self._waiting, None
        return child

    def _await_start(self) -> None:
        try:
            self._hear(START_SECONDS)
        except (TimeoutError, ZygoteLost):
            self._process.kill()
            why = self._last_words()
            self.end()
            raise _no_process(why) from None

    def _is_more_to_hear(self, seconds: float) -> bool:
        ready = select.poll()
        ready.register(self._control, select.POLLIN)
        return bool(ready.poll(seconds * 1000))

    def _hear(self, seconds: float) -> int | None:
        """The wait status of the last child, when there is another one; TimeoutError, ZygoteLost, EnvironmentFault."""
        if not self._is_more_to_hear(seconds):
            raise TimeoutError
        try:
            message, descriptors, _, _ = socket.recv_fds(self._control, 256, 1)
        except ConnectionError:
            message, descriptors = b"", []
        if not message:
            raise ZygoteLost
        self._started = True
        said = json.loads(message)
        if "errno" in said:
            self._stuck = True
            raise _no_process(os.strerror(said["errno"]))
        if not descriptors:  # it could not be taken in; the child hears of it and makes room for another
            raise _no_process(os.strerror(errno.EMFILE))
        self._forget_waiting()
        self._waiting = Child(said["pid"], socket.socket(fileno=descriptors[0]))
        return None if said["before"] is None else int(said["before"])

    def _forget_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.way.close()
            self._waiting = None

    def end(self) -> None:
        """It, and its child with it."""
        self.ended = True
        self._forget_waiting()
        self._control.close()
        self._close_stderr()
        try:
            self._process.wait(0.5)  # a moment to leave by itself: it hears that the socket is closed
        except subprocess.TimeoutExpired:
            self._process.kill()  # its child dies with it
            self._process.wait()

    def _last_words(self) -> str:
        """The last line on stderr of one that did not start: no file has been near it."""
        stream = self._process.stderr
        assert stream is not None, "it was asked for"
        lines = stream.read(1 << 16).decode("utf-8", "replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it did not answer")

    def _close_stderr(self) -> None:
        if self._process.stderr is not None:
            self._process.stderr.close()


def _no_process(why: str) -> EnvironmentFault:
    return EnvironmentFault(f"no process can be started to decode files in ({why})", hint="edge-sr doctor")
