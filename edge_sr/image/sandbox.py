"""Decoding files that nobody vouches for, each in a limited process of its own.

    with Decoder(max_pixels=64_000_000, colour="refuse") as decoder:
        radiograph = decoder.decode(descriptor)

A crash, a hang or a bomb in there ends that process and becomes an error of that file. This process holds nothing of
the file but the pixels of a picture that was judged. zygote.py forks, confinement.py limits, answers.py judges.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import stat
import time
from dataclasses import asdict
from threading import Lock
from types import TracebackType
from typing import Literal

from edge_sr.errors import EdgeSRError, EnvironmentFault, InputError
from edge_sr.image.answers import BadAnswer, CutShort, Receive, read_answer, take
from edge_sr.image.radiograph import Colour, Radiograph, check_colour, most_bytes, with_luma
from edge_sr.image.refusals import Refused
from edge_sr.image.zygote import BEGUN, MEMORY_EXIT, Rules
from edge_sr.image.zygote_link import ZygoteLink, ZygoteLost

TRIES = 3  # where a process is lost, which can be somebody else's doing
HASHED = 1 << 18  # bytes of a file at a time: all that this process ever holds of it

Reason = Literal["decoder-crashed", "decoder-timeout", "decoder-memory"]


class DecoderFault(InputError):
    """The process that decoded a file came to grief over it."""

    def __init__(self, reason: Reason, what: str, *, expected: str = "", hint: str = "") -> None:
        self.reason = reason
        super().__init__(what, expected=expected, hint=hint)


class _NeverBegun(Exception):
    """The child died before it read the file."""


class _Killed(Exception):
    """The child was killed while it was at the file: by a system short of memory, say, which the file need not have
    caused."""


class Decoder:
    """Decodes one file at a time, each in a new process. Calls from several threads wait for each other.

    max_pixels, colour: as of read_radiograph.
    memory_bytes: of address space for one file; None for what the largest picture allowed takes.
    seconds: for one file, by the clock. The largest that 64 million pixels allow take 3 s on a server.

    Its processes end with it, and with this process. EnvironmentFault where no process can be started.
    """

    def __init__(
        self, *, max_pixels: int, colour: Colour, memory_bytes: int | None = None, seconds: float = 10.0
    ) -> None:
        check_colour(colour)
        self._colour, self._seconds = colour, seconds
        self._rules = Rules(
            max_pixels=max_pixels,
            colour="refuse" if colour == "refuse" else "rgb",  # luma is made here, of pixels that were judged
            memory_bytes=enough_memory(max_pixels) if memory_bytes is None else memory_bytes,
            cpu_seconds=int(seconds) + 1,
        )
        self._one_at_a_time = Lock()
        self._zygote: ZygoteLink | None = self._start()  # on its way while the caller loads a network

    def _start(self) -> ZygoteLink:
        return ZygoteLink(json.dumps(asdict(self._rules)))

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End its processes. A later decode starts them anew."""
        with self._one_at_a_time:
            self._drop()

    def _drop(self) -> None:
        zygote, self._zygote = self._zygote, None
        if zygote is not None:
            zygote.end()

    @property
    def pids(self) -> tuple[int, ...]:
        """Of its processes: the zygote, and the child that decodes a file or waits for one."""
        zygote = self._zygote
        return () if zygote is None else zygote.pids

    def decode(self, content: int, *, sha256: str | None = None) -> Radiograph:
        """The picture in the file behind an open descriptor, from its start: a sealed memfd or read-only.

        sha256: of its bytes where it is known already.

        Refused for an unfit picture, DecoderFault where decoding went wrong: both are InputErrors and quote nothing of
        the file. EnvironmentFault for what is no fault of the file.
        """
        with self._one_at_a_time:
            _check_file(content, self._rules.max_pixels)
            try:
                radiograph = self._decode(content, sha256)
            except (InputError, EnvironmentFault):
                raise  # the zygote has been heard out and is ready for the next file
            except OSError as fault:
                self._drop()
                raise EnvironmentFault(f"the file cannot be read ({fault.strerror})") from fault
            except BaseException:  # an interruption leaves it in the middle of one
                self._drop()
                raise
        return with_luma(radiograph) if self._colour == "luma" else radiograph

    def _decode(self, content: int, sha256: str | None) -> Radiograph:
        lost: EdgeSRError | None = None
        for _ in range(TRIES):
            if self._zygote is None or self._zygote.ended:
                self._zygote = self._start()
            try:
                return self._ask(self._zygote, content, sha256)
            except ZygoteLost:
                lost = DecoderFault("decoder-crashed", f"the decoder died {TRIES} times over it")
                self._drop()
            except _Killed:
                lost = DecoderFault("decoder-crashed", f"the decoder was killed {TRIES} times over it")
            except _NeverBegun:
                lost = EnvironmentFault("processes to decode files in are killed as soon as they start")
        assert lost is not None, "it was tried"
        raise lost

    def _ask(self, zygote: ZygoteLink, content: int, sha256: str | None) -> Radiograph:
        child = zygote.begin(content)
        deadline = time.monotonic() + self._seconds
        receive = _receiver(child.way, deadline)
        try:
            digest = _sha256(content) if sha256 is None else sha256  # while the child is at it
            self._expect_begun(receive)
            heard = read_answer(receive, max_pixels=self._rules.max_pixels, colour=self._rules.colour == "rgb")
        except TimeoutError:
            raise _too_slow(self._seconds) from None
        except BadAnswer as bad:
            status = zygote.end_of(child)
            if isinstance(bad, CutShort) and os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
                raise _Killed from None
            raise self._fault(status) or _no_answer(bad) from None
        except MemoryError:
            raise EnvironmentFault("there is no memory for a decoded picture") from None
        finally:
            zygote.finish(child)
        if isinstance(heard, Refused):
            raise heard
        pixels, note = heard
        return Radiograph(pixels, 8 * pixels.itemsize, digest, note)

    def _expect_begun(self, receive: Receive) -> None:
        try:
            begun = take(receive, len(BEGUN))
        except BadAnswer:
            raise _NeverBegun from None
        if begun != BEGUN:
            raise BadAnswer("it does not begin as agreed")

    def _fault(self, status: int) -> DecoderFault | None:
        """What a child's wait status says; None where it ended as it should, or because it was told to."""
        code = os.waitstatus_to_exitcode(status)
        if code == MEMORY_EXIT:
            mib = self._rules.memory_bytes >> 20
            return DecoderFault("decoder-memory", "decoding it takes too much memory", expected=f"at most {mib} MiB")
        if code == -signal.SIGXCPU:
            return _too_slow(self._seconds)
        if code in (0, -signal.SIGKILL):
            return None
        how = f"exit code {code}" if code > 0 else signal.Signals(-code).name
        return DecoderFault("decoder-crashed", f"the decoder crashed over it ({how})")


def enough_memory(max_pixels: int) -> int:
    """Bytes of address space that decoding the largest picture allowed takes, whatever its kind."""
    return 24 * max_pixels + (128 << 20)  # measured: 16 a pixel for a 32-bit TIFF; and the file, most_bytes


def _check_file(content: int, max_pixels: int) -> None:
    status = os.fstat(content)
    if not stat.S_ISREG(status.st_mode):
        raise InputError("is a folder, pipe, socket or device", expected="a regular file")
    if status.st_size == 0:
        raise Refused("empty")
    if status.st_size > most_bytes(max_pixels):
        raise Refused("too-many-bytes", status.st_size, most_bytes(max_pixels))


def _sha256(content: int) -> str:
    digest, position = hashlib.sha256(), 0
    while part := os.pread(content, HASHED, position):
        digest.update(part)
        position += len(part)
    return digest.hexdigest()


def _receiver(answer: socket.socket, deadline: float) -> Receive:
    """Fills memory with what comes; TimeoutError after the deadline."""

    def receive(target: memoryview) -> int:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        answer.settimeout(left)
        try:
            return answer.recv_into(target)
        except ConnectionError:  # it ended with something unread: nothing more will come
            return 0

    return receive


def _too_slow(seconds: float) -> DecoderFault:
    return DecoderFault("decoder-timeout", "decoding it takes too long", expected=f"at most {seconds:g} s")


def _no_answer(bad: BadAnswer) -> DecoderFault:
    return DecoderFault("decoder-crashed", f"the decoder gave no valid answer: {bad}")
