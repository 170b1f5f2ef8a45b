"""The process that forks a child for each file to decode.

It is a fresh interpreter with NumPy and Pillow loaded, one thread, and none of its parent's memory; it reads no file
itself. ZygoteLink starts it. One child always waits, since a fork and the limits take longer than decoding a small
picture; when it ends, the next one is forked. Over a socket of packets go

    to the parent   {"before": wait status of the child before, null at first, "pid": ...} with a descriptor, the way to
                    the child that waits; or {"before": ..., "errno": why no child came to be}
    to the zygote   b"kill PID": that child, where it still lives; b"again" after an errno

The parent sends b"decode" with the file's descriptor to the child itself, which says b"begun" there before it reads a
byte of the file, then answers (answers.py) and ends.
The end of the zygote's socket is the end of it and of its child, however the parent died.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import io
import json
import os
import select
import signal
import socket
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image

from edge_sr.image import confinement
from edge_sr.image.answers import answer_of_pixels, answer_of_refusal
from edge_sr.image.png import encode_png
from edge_sr.image.radiograph import Colour, radiograph_of
from edge_sr.image.refusals import Refused

DECODE, BEGUN, KILL, AGAIN = b"decode", b"begun", b"kill", b"again"
MEMORY_EXIT, BUG_EXIT = 112, 113  # of a child that cannot answer any more
WAY = 3  # a child's descriptor of its socket
PART = 1 << 30  # bytes at a time: read(2) stops at 2 GiB


@dataclass(frozen=True)
class Rules:
    """What one decoder allows. memory_bytes: beside what the zygote takes itself."""

    max_pixels: int
    colour: Colour
    memory_bytes: int
    cpu_seconds: int


def serve(descriptor: int, rules: str) -> None:
    """Until the parent closes the socket. rules: as JSON."""
    control = socket.socket(fileno=os.dup(descriptor))  # a low number: a child closes all that it does not need
    os.close(descriptor)
    confinement.leave_signals_to_the_parent()
    warnings.simplefilter("ignore")  # they quote the file
    allowed = Rules(**json.loads(rules))
    _warm_up()
    _silence()
    confinement.confine_zygote()
    woken = _wake_at_a_childs_end()
    gc.collect()
    gc.freeze()  # or the first collection of each child would copy every page of the zygote
    zygote = Zygote(control, woken, allowed, confinement.address_space())
    with contextlib.suppress(ConnectionError):
        before: int | None = None
        while True:
            before = zygote.serve_one(before)


def _warm_up() -> None:
    """Have everything imported and looked up that a decoding needs: a child can open no file."""
    samples = np.zeros((8, 8), np.uint16)
    orientation = Image.Exif()
    orientation[274] = 6
    for kind in ("PNG", "TIFF", "JPEG"):
        file = io.BytesIO()
        Image.fromarray(samples.astype(np.uint8)).save(file, kind, exif=orientation)
        radiograph_of(file.getvalue())
    radiograph_of(encode_png(samples, text={"warm": "up"}))
    for encoding in ("ascii", "latin-1", "utf-16", "utf-8"):
        "".encode(encoding)


def _silence() -> None:
    """Up to here stderr told of a failed start; libtiff and libpng write there what files hold."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _wake_at_a_childs_end() -> int:
    """A descriptor that can be read after SIGCHLD."""
    woken, wakes = os.pipe()
    os.set_blocking(woken, False)
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return woken


class Zygote:
    """address_space: bytes of it that a child starts with."""

    def __init__(self, control: socket.socket, woken: int, rules: Rules, address_space: int) -> None:
        self._control, self._woken, self._rules, self._address_space = control, woken, rules, address_space

    def serve_one(self, before: int | None) -> int | None:
        """One child from its fork to its end: its wait status. before: that of the last one."""
        try:
            child, way = self._fork()
        except OSError as fault:
            self._control.send(json.dumps({"before": before, "errno": fault.errno or errno.EAGAIN}).encode())
            self._hear()
            return None
        with way:
            socket.send_fds(self._control, [json.dumps({"before": before, "pid": child}).encode()], [way.fileno()])
        return self._end_of(child)

    def _fork(self) -> tuple[int, socket.socket]:
        ours, theirs = socket.socketpair()
        zygote = os.getpid()
        try:
            child = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if child == 0:
            _be_the_child(theirs.fileno(), self._rules, self._address_space, zygote)
        theirs.close()
        return child, ours

    def _end_of(self, child: int) -> int:
        """The wait status of the child, which dies at once where the parent says so or is gone."""
        ready = select.poll()
        ready.register(self._control, select.POLLIN)
        ready.register(self._woken, select.POLLIN)
        while True:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status
            for descriptor, _ in ready.poll():
                if descriptor == self._woken:
                    os.read(self._woken, 64)
                elif self._hear() == b"%b %d" % (KILL, child):
                    os.kill(child, signal.SIGKILL)

    def _hear(self) -> bytes:
        word = self._control.recv(64)
        if not word:
            sys.exit()  # the parent is gone; the child dies with this process
        return word


def _be_the_child(way: int, rules: Rules, address_space: int, zygote: int) -> None:
    """Never returns."""
    code = BUG_EXIT
    try:
        signal.set_wakeup_fd(-1)
        _keep_only(way)
        confinement.confine_child(
            memory_bytes=address_space + rules.memory_bytes, cpu_seconds=rules.cpu_seconds, parent=zygote
        )
        content = _await_file()
        _write(WAY, BEGUN)
        for part in answer_to(content, rules):
            _write(WAY, part)
        os.close(WAY)  # before the memory is given back, which takes its time
        code = 0
    except MemoryError:
        code = MEMORY_EXIT
    except BrokenPipeError:  # the parent has heard enough
        code = 0
    finally:
        os._exit(code)


def _keep_only(way: int) -> None:
    """Nothing else of the zygote's stays open: whoever held its socket could speak for it."""
    os.dup2(way, WAY)  # in place of the zygote's own socket: see serve
    os.closerange(WAY + 1, 64)


def _await_file() -> int:
    """The file's descriptor. From here on nothing more can be opened."""
    with socket.socket(fileno=os.dup(WAY)) as way:
        message, descriptors, _, _ = socket.recv_fds(way, len(DECODE), 1)
    if message != DECODE or len(descriptors) != 1:
        os._exit(0)  # nobody wants it any more
    confinement.open_no_more()
    return descriptors[0]


def answer_to(content: int, rules: Rules) -> Iterator[bytes | memoryview]:
    try:
        radiograph = radiograph_of(_read(content), max_pixels=rules.max_pixels, colour=rules.colour, sha256="")
    except Refused as refused:
        return answer_of_refusal(refused)
    return answer_of_pixels(radiograph)


def _read(descriptor: int) -> bytes:
    """From the start, wherever the parent, which shares the position, has read to."""
    size, parts, read = os.fstat(descriptor).st_size, [], 0
    while part := os.pread(descriptor, min(size - read, PART), read):
        parts.append(part)
        read += len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _write(descriptor: int, part: bytes | memoryview) -> None:
    view = memoryview(part)
    while view:
        view = view[os.write(descriptor, view) :]
