"""Pickles that would leave a mark if anything ever unpickled them, in the forms in which programs keep data."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np


class Mark:
    """Unpickling one makes a folder. folder: its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.folder,)


def payloads(mark: Path) -> Iterator[tuple[str, bytes]]:
    """12 of (what it is, content)."""
    for protocol in (0, 2, 4, 5):
        yield f"pickle-{protocol}", pickle.dumps(Mark(mark), protocol)
    yield "npy", _npy(mark)
    yield "npz", _zipped("arr_0.npy", _npy(mark))
    yield "torch", _zipped("archive/data.pkl", pickle.dumps(Mark(mark), 2))
    yield "torch-legacy", b"".join(pickle.dumps(each, 2) for each in (0x1950A86A20F9469CFC6C, 1001, Mark(mark)))
    yield "joblib", pickle.dumps([Mark(mark)], 4)
    yield "behind-png", b"\x89PNG\r\n\x1a\n" + pickle.dumps(Mark(mark))
    yield "behind-tiff", b"II*\0\x08\0\0\0" + pickle.dumps(Mark(mark))
    yield "yaml", f"!!python/object/apply:os.mkdir ['{mark}']\n".encode()


def _npy(mark: Path) -> bytes:
    content = io.BytesIO()
    np.save(content, np.array([Mark(mark)], dtype=object), allow_pickle=True)
    return content.getvalue()


def _zipped(name: str, content: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, content)
    return packed.getvalue()
