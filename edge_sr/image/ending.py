"""Whether a file has come whole, by how its format ends; little of it is read and nothing decoded.

It is asked again and again while somebody still copies a file, and says nothing about whether the picture is fit.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edge_sr.image.radiograph import READERS

JPEG_START = b"\xff\xd8\xff"
IEND = b"\0\0\0\0IEND\xae\x42\x60\x82"  # PNG specification, section 11.2.5: its length is 0, so its CRC is always this
PNG_CHUNKS = 1 << 18  # of 8 KiB, as libpng writes them, these are 2 GiB
WINDOW = 1 << 20  # bytes read at a time where a whole part must be looked through
TAIL = 1 << 12
MARKER = re.compile(rb"\xff+[^\xff\x00\xd0-\xd7]", re.DOTALL)  # in coded data; ITU-T T.81, B.1.1.2 and B.1.1.5
EOI, SOS = 0xD9, 0xDA
DIRECTORIES = 1 << 10
ENTRIES = 1 << 16  # of a directory, and of ...
PARTS = 1 << 20  # the strips or tiles of one picture
STRIPS, TILES = (273, 279), (324, 325)  # offsets and byte counts; TIFF 6.0, sections 8 and 15
# Bytes of a value by type: TIFF 6.0, section 2; from 13 on the technical notes and BigTIFF.
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
OFFSET_DTYPES = {3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}


def ends_properly(descriptor: int) -> bool | None:
    """Whether the file behind an open descriptor is whole. False: not yet, or damaged; None: of a format unknown here.

    OSError where it cannot be read.
    """
    size = os.fstat(descriptor).st_size
    start = os.pread(descriptor, 8, 0)
    if any(start != magic and magic.startswith(start) for magic in READERS):  # the beginning of a beginning
        return False
    reader = next((magic for magic in READERS if start.startswith(magic)), None)
    if reader is None:
        return None
    if reader == JPEG_START:
        return _jpeg_ends(descriptor, size)
    return _png_ends(descriptor, size) if reader[1:4] == b"PNG" else _tiff_ends(descriptor, size)


# --- PNG --------------------------------------------------------------------------------------------------------------


def _png_ends(descriptor: int, size: int) -> bool | None:
    position = 8
    for _ in range(PNG_CHUNKS):
        start = os.pread(descriptor, len(IEND), position)
        if len(start) < len(IEND) or start[4:8] == b"IEND":
            return start == IEND
        if not start[4:8].isalpha():  # section 5.4: letters only; zeros of a file that was given its size ahead
            return False
        position += 12 + int.from_bytes(start[:4], "big")
    return None


# --- JPEG -------------------------------------------------------------------------------------------------------------


def _jpeg_ends(descriptor: int, size: int) -> bool:
    """By its end of image, with zeros behind it or with other data, as cameras append."""
    scan = _jpeg_scan(descriptor, size)
    if scan is None:
        return False
    return _ends_in_eoi(descriptor, size, scan) or _has_eoi(descriptor, size, scan)


def _jpeg_scan(descriptor: int, size: int) -> int | None:
    """Where the first coded data begin. What stands before, a preview for instance, has ends of its own."""
    position = 2
    while position < size:
        marker, length = _jpeg_segment(descriptor, position)
        position += 2 + length
        if marker == SOS:
            return position
        if length < 2:
            return None
    return None


def _jpeg_segment(descriptor: int, position: int) -> tuple[int, int]:
    """Its marker and the length after it; 0 for what is none."""
    head = os.pread(descriptor, 4, position)
    if len(head) < 4 or head[0] != 0xFF:
        return 0, 0
    return head[1], int.from_bytes(head[2:], "big")


def _ends_in_eoi(descriptor: int, size: int, scan: int) -> bool:
    tail = os.pread(descriptor, TAIL, max(scan, size - TAIL)).rstrip(b"\0")
    return tail.endswith(b"\xff\xd9")


def _has_eoi(descriptor: int, size: int, position: int) -> bool:
    """Look through the coded data, and jump over the segments between scans."""
    while position < size:
        window = os.pread(descriptor, WINDOW, position)
        found = MARKER.search(window)
        if found is None:
            position += max(1, len(window) - 1)  # its last byte may begin a marker
        elif window[found.end() - 1] == EOI:
            return True
        else:
            _, length = _jpeg_segment(descriptor, position + found.end() - 2)
            if length < 2:
                return False
            position += found.end() + length
    return False


# --- TIFF -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """How a TIFF file counts. offset: the format of an offset; entry: bytes of a directory's entry."""

    order: str
    offset: str
    count: str
    first: int
    entry: int

    def number(self, kind: str, content: bytes) -> int | None:
        size = struct.calcsize(kind)
        return None if len(content) < size else int(struct.unpack(self.order + kind, content[:size])[0])


@dataclass(frozen=True)
class Entry:
    kind: int
    count: int
    value: bytes


def _tiff_ends(descriptor: int, size: int) -> bool | None:
    """Whether every directory, every value and every strip or tile lies inside the file."""
    head = os.pread(descriptor, 16, 0)
    order = "<" if head[:1] == b"I" else ">"
    layout = Layout(order, "Q", "Q", 8, 20) if 43 in head[2:4] else Layout(order, "I", "H", 4, 12)
    position = layout.number(layout.offset, head[layout.first :])
    if not position:  # libtiff writes it last
        return False
    for _ in range(DIRECTORIES):
        entries, position = _directory(descriptor, layout, position)
        if entries is None or position is None:
            return False
        inside = _values_inside(descriptor, layout, entries, size)
        if not inside:
            return inside
        if position == 0:
            return True
    return None


def _directory(descriptor: int, layout: Layout, position: int) -> tuple[dict[int, Entry] | None, int | None]:
    """Its entries by tag and where the next one is, 0 after the last; None for what the file does not hold."""
    if position >= 1 << 63:
        return None, None
    count_bytes = struct.calcsize(layout.count)
    count = layout.number(layout.count, os.pread(descriptor, count_bytes, position))
    if count is None or not 0 < count <= ENTRIES:
        return None, None
    packed = os.pread(descriptor, count * layout.entry + 8, position + count_bytes)
    if len(packed) < count * layout.entry:
        return None, None
    entries = dict(_entries(layout, packed[: count * layout.entry]))
    return entries, layout.number(layout.offset, packed[count * layout.entry :])


def _entries(layout: Layout, packed: bytes) -> Iterator[tuple[int, Entry]]:
    form = struct.Struct(f"{layout.order}HH{layout.offset}{struct.calcsize(layout.offset)}s")
    for tag, kind, count, value in form.iter_unpack(packed):
        yield tag, Entry(kind, count, value)


def _values_inside(descriptor: int, layout: Layout, entries: dict[int, Entry], size: int) -> bool | None:
    for entry in entries.values():
        if entry.kind == 0:  # of a file that was given its size ahead
            return False
        length = TYPE_BYTES.get(entry.kind, 1) * entry.count
        if length > len(entry.value) and (layout.number(layout.offset, entry.value) or 0) + length > size:
            return False
    for offsets, lengths in (STRIPS, TILES):
        if offsets in entries and lengths in entries:
            inside = _parts_inside(descriptor, layout, entries[offsets], entries[lengths], size)
            if not inside:
                return inside
    return True


def _parts_inside(descriptor: int, layout: Layout, offsets: Entry, lengths: Entry, size: int) -> bool | None:
    starts, counts = (_numbers(descriptor, layout, entry) for entry in (offsets, lengths))
    if starts is None or counts is None:
        return None
    both = min(len(starts), len(counts))
    starts, counts = starts[:both], counts[:both]
    return bool(np.all(starts <= size) and np.all(counts <= size) and np.all(starts + counts <= size))


def _numbers(descriptor: int, layout: Layout, entry: Entry) -> np.ndarray | None:
    """(N,) uint64 of an entry inside the file; None for what is no list of offsets, or too long a one."""
    if entry.kind not in OFFSET_DTYPES or entry.count > PARTS:
        return None
    dtype = np.dtype(layout.order + OFFSET_DTYPES[entry.kind])
    length = dtype.itemsize * entry.count
    content = entry.value[:length]
    if length > len(entry.value):
        content = os.pread(descriptor, length, layout.number(layout.offset, entry.value) or 0)
    return np.frombuffer(content[: len(content) // dtype.itemsize * dtype.itemsize], dtype).astype(np.uint64)
