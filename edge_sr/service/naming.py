"""Names of files: what an output and a second file of one name are called, and how any name is printed.

A name is bytes to the kernel, at most 255, and need not be UTF-8. Here it is a str as ``os.fsdecode`` gives it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

LONGEST = 255  # bytes: NAME_MAX of linux/limits.h, and of every file system that holds a spool
LONGEST_SUFFIX = 32  # bytes; what is longer belongs to the stem
SUFFIX_BYTES = len(b".json")  # the longer one of an output's two
KEY_DIGITS = 8
_OUTPUT = re.compile(r"(.*?)(~[0-9a-f]{8})?(\.[0-9a-f]{8}(-[0-9]{1,3})?)?", re.DOTALL)
_SCALE = re.compile(r"_x[0-9]{1,2}\Z")


def output_stems(name: str, job_key: str, *, scale: int = 4) -> Iterator[str]:
    """What the output of ``name`` is called, without its suffix, in order of choice; the later ones where it is taken.

    A stem that would be too long is cut and says so by ``~`` and the key's first digits.
    """
    stem = f"{PurePosixPath(name).stem}_x{scale}"
    digits = job_key[:KEY_DIGITS]
    yield _fitting(stem, "", SUFFIX_BYTES, f"~{digits}")
    yield _fitting(stem, f".{digits}", SUFFIX_BYTES, f"~{digits}")
    for number in range(2, 1000):
        yield _fitting(stem, f".{digits}-{number}", SUFFIX_BYTES, f"~{digits}")


def stem_of_output(stem: str) -> tuple[str, bool]:
    """What ``output_stems`` began with, whatever the key and the scale; True where it was cut, then without its end.

    A name that only looks like that gives something of no meaning: who asks reads the sidecar too.
    """
    found = _OUTPUT.fullmatch(stem)
    assert found is not None, "the expression fits everything"
    return (found[1], True) if found[2] else (_SCALE.sub("", found[1]), False)


def beside(name: str, mark: str) -> str:
    """``name`` with a mark before its suffix: where the name itself is taken."""
    stem, suffix = PurePosixPath(name).stem, PurePosixPath(name).suffix
    if len(os.fsencode(suffix)) > LONGEST_SUFFIX:
        stem, suffix = name, ""
    return _fitting(stem, f".{mark}{suffix}", 0, "")


def _fitting(stem: str, tail: str, room: int, sign: str) -> str:
    """stem + tail, with ``room`` bytes left of the longest name; where the stem must be cut, ``sign`` follows it."""
    left = LONGEST - room - len(os.fsencode(tail))
    if len(os.fsencode(stem)) <= left:
        return stem + tail
    return _cut(stem, left - len(sign)) + sign + tail


def _cut(text: str, most_bytes: int) -> str:
    """The longest beginning that fits, cut between characters; a byte that is no UTF-8 counts as one."""
    size = 0
    for place, character in enumerate(text):
        size += len(os.fsencode(character))
        if size > most_bytes:
            return text[:place]
    return text


def escaped(name: str) -> str:
    """For people: on one line, without control sequences, bytes that are no UTF-8 as \\xNN, a backslash doubled."""
    return "".join(map(_escaped_character, name))


def _escaped_character(character: str) -> str:
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character == "\\":
        return "\\\\"
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
