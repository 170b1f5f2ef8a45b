"""What a decoding child answers its parent: a small JSON header, then the pixels as they lie in memory.

    4 bytes   length of the header, big-endian
    header    {"shape": [h, w] or [h, w, 3], "dtype": "uint8" or "uint16", "note": "..."}
              or {"refused": code, "numbers": [...]}
    pixels    exactly as many bytes as shape and dtype say, in this machine's byte order; none behind a refusal

The child has just read a hostile file and is not believed: the header is judged before a byte of pixels is taken, and
nothing in it but numbers and words of our own tables goes any further.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from edge_sr.image.radiograph import MIN_SIDE, NOTES, Radiograph
from edge_sr.image.refusals import Refused, refusal_of

Receive = Callable[[memoryview], int]  # fills a part of the memory it is given and says how much, 0 at the end
LENGTH = struct.Struct(">I")
MAX_HEADER = 1024  # bytes; ours have under 200
MAX_NUMBERS = 4
DTYPES: dict[str, type[np.uint8] | type[np.uint16]] = {"uint8": np.uint8, "uint16": np.uint16}


class BadAnswer(Exception):
    """What came is no answer: cut short, too long, or against the rules. It quotes nothing of what came."""


class CutShort(BadAnswer):
    """It ends too early: whoever gave it may have been killed over it."""

    def __init__(self) -> None:
        super().__init__("the answer is cut short")


@dataclass(frozen=True)
class Declared:
    """A header of pixels, judged."""

    shape: tuple[int, ...]
    dtype: type[np.uint8] | type[np.uint16]
    note: str


def answer_of_pixels(radiograph: Radiograph) -> Iterator[bytes | memoryview]:
    pixels = radiograph.pixels
    yield _header({"shape": pixels.shape, "dtype": str(pixels.dtype), "note": radiograph.note})
    yield pixels.data.cast("B")


def answer_of_refusal(refused: Refused) -> Iterator[bytes]:
    yield _header({"refused": refused.code, "numbers": refused.numbers})


def _header(content: dict[str, object]) -> bytes:
    packed = json.dumps(content).encode("ascii")
    return LENGTH.pack(len(packed)) + packed


def read_answer(receive: Receive, *, max_pixels: int, colour: bool) -> tuple[np.ndarray, str] | Refused:
    """Pixels and note, or why there are none, from a stream that ends with the answer.

    BadAnswer where it is none.
    """
    (length,) = LENGTH.unpack(take(receive, LENGTH.size))
    if length > MAX_HEADER:
        raise BadAnswer("the header is too long")
    declared = judge(bytes(take(receive, length)), max_pixels=max_pixels, colour=colour)
    if isinstance(declared, Refused):
        _expect_end(receive)
        return declared
    pixels = np.empty(declared.shape, declared.dtype)
    _fill(receive, pixels.data.cast("B"))
    _expect_end(receive)
    return pixels, declared.note


def take(receive: Receive, length: int) -> bytearray:
    """The next bytes; BadAnswer where there are fewer."""
    taken = bytearray(length)
    _fill(receive, memoryview(taken))
    return taken


def _fill(receive: Receive, target: memoryview) -> None:
    filled = 0
    while filled < len(target):
        got = receive(target[filled:])
        if not got:
            raise CutShort
        filled += got


def _expect_end(receive: Receive) -> None:
    if receive(memoryview(bytearray(1))):
        raise BadAnswer("the answer is too long")


def judge(header: bytes, *, max_pixels: int, colour: bool) -> Declared | Refused:
    """What the header says, where it may say so; else BadAnswer. colour: three channels may come."""
    try:
        said = json.loads(header)
    except (ValueError, RecursionError):
        raise BadAnswer("the header is not JSON") from None
    if isinstance(said, dict) and set(said) == {"refused", "numbers"}:
        return _judge_refusal(said["refused"], said["numbers"])
    if not isinstance(said, dict) or set(said) != {"shape", "dtype", "note"}:
        raise BadAnswer("the header has other fields")
    note = _judge_note(said["note"])
    return Declared(*_judge_shape(said["shape"], said["dtype"], max_pixels, colour), note)


def _judge_refusal(code: object, numbers: object) -> Refused:
    fits = isinstance(numbers, list) and len(numbers) <= MAX_NUMBERS
    refused = refusal_of(code, numbers) if fits and isinstance(numbers, list) else None
    if refused is None:
        raise BadAnswer("the refusal is unknown")
    return refused


def _judge_shape(
    shape: object, dtype: object, max_pixels: int, colour: bool
) -> tuple[tuple[int, ...], type[np.uint8] | type[np.uint16]]:
    if not isinstance(shape, list) or not all(type(side) is int for side in shape) or len(shape) not in (2, 3):
        raise BadAnswer("the shape is not one")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise BadAnswer("the pixels are of another kind")
    if shape[2:] and (not colour or shape[2] != 3 or dtype != "uint8"):
        raise BadAnswer("the channels are of another number")
    if min(shape[:2]) < MIN_SIDE or shape[0] * shape[1] > max_pixels:
        raise BadAnswer("the size was not allowed")
    return tuple(shape), DTYPES[dtype]


def _judge_note(note: object) -> str:
    if not isinstance(note, str) or not all(part in NOTES for part in note.split(", ") if note):
        raise BadAnswer("the note is unknown")
    if len(note) > sum(map(len, NOTES)) + 2 * len(NOTES):
        raise BadAnswer("the note is too long")
    return note
