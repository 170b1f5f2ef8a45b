"""Why a picture is refused: every reason in one table, told by its code and some whole numbers.

A decoder in a process of its own (sandbox.py) answers with codes and numbers, and the words are made here: nothing that
stands in a hostile file, nor a patient's name, gets into a message that way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from edge_sr.errors import InputError


class Reason(NamedTuple):
    """The words; {0}, {1}... stand for the numbers, {file} for the file's name."""

    what: str
    expected: str = ""
    hint: str = ""


REASONS = {
    "empty": Reason("the file is empty"),
    "too-many-bytes": Reason("{0} bytes is too large", "at most {1} bytes"),
    "unknown-format": Reason("is not a picture that can be read", "PNG, TIFF or JPEG"),
    "header": Reason("the header cannot be read"),
    "too-small": Reason("{0}x{1} is too small", "sides of at least {2}"),
    "too-large": Reason("{0}x{1} is too large", "at most {2} pixels"),
    "several": Reason("holds several pictures", hint="save one of them as a file of its own"),
    "float": Reason("holds floating point pixels", "8- or 16-bit grey"),
    "wide-channels": Reason(
        "holds 16-bit channels of colour or alpha",
        "16-bit grey",
        "magick {file} -alpha off -colorspace Gray -depth 16 OUT.png",
    ),
    "wide-integers": Reason("holds {0}-bit integers", "8- or 16-bit grey from 0 to 65535"),
    "kind": Reason("pixels of this kind are not supported", "8- or 16-bit grey"),
    "transparent": Reason(
        "has transparent pixels",
        "an opaque picture",
        "magick {file} -background black -alpha remove -alpha off OUT.png",
    ),
    "colour": Reason("is a colour picture", "grey", "--colour luma"),
    "damaged": Reason("the picture is damaged or truncated"),
    "png-truncated": Reason("the PNG is truncated", hint="copy the file again"),
    "png-crc": Reason("the PNG is damaged: one of its chunks fails its CRC"),
    "png-crc-pixels": Reason("the PNG is damaged: its IDAT chunk fails its CRC"),
    "memory": Reason("there is too little memory to decode it"),
}


class Refused(InputError):
    """A picture that cannot be served, for the reason of this code.

    detail: words of the library that found it, which may quote the file; they are not part of the reason.
    """

    def __init__(self, code: str, *numbers: int, where: object = "", detail: str = "") -> None:
        reason = REASONS[code]
        self.code, self.numbers = code, numbers
        what = reason.what.format(*numbers) + (f" ({detail})" if detail else "")
        hint = reason.hint.format(file=str(where) or "FILE")
        super().__init__(what, where=where, expected=reason.expected.format(*numbers), hint=hint)

    def __reduce__(self) -> tuple[object, ...]:  # a pool's workers send it home
        return type(self), (self.code, *self.numbers), self.__dict__


def refusal_of(code: object, numbers: Sequence[object]) -> Refused | None:
    """The refusal of a code and numbers that came from elsewhere; None where they are none of ours."""
    if not isinstance(code, str) or code not in REASONS:
        return None
    if not all(type(number) is int and 0 <= number < 1 << 64 for number in numbers):
        return None
    try:
        return Refused(code, *numbers)  # type: ignore[arg-type]  # just looked at
    except IndexError:  # too few numbers for the words
        return None
