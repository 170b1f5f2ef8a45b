"""What the service does to a picture, seen from the service: it knows no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from edge_sr.image.radiograph import Radiograph
from edge_sr.timing import Phases


class Result(Protocol):
    """pixels: (H, W) uint8 or uint16, or (H, W, 3) uint8. provenance: with the job key, and without any time."""

    @property
    def pixels(self) -> np.ndarray: ...

    @property
    def provenance(self) -> Mapping[str, object]: ...


class Work(Protocol):
    """Made, used and closed by one thread, as a CUDA context belongs to one; ``encode`` is called by another.

    description: model, precision, backend and engine, for people. scale: how many times as wide and high.
    largest_batch: of pictures that are worth a common call.
    """

    @property
    def description(self) -> Mapping[str, object]: ...

    @property
    def scale(self) -> int: ...

    @property
    def largest_batch(self) -> int: ...

    def job_key(self, radiograph: Radiograph) -> str:
        """What two jobs share if and only if they have the same result; as in the provenance of that result."""

    def __call__(self, radiographs: Sequence[Radiograph], phases: Phases) -> Sequence[Result]:
        """Results in the same order, bit for bit as one by one. phases: of all together, where times are added."""

    def encode(self, result: Result) -> bytes:
        """The file of a result; it depends on the result alone."""

    def close(self) -> None: ...


OpenWork = Callable[[], Work]


class Decoder(Protocol):
    """See ``edge_sr.image.sandbox``."""

    def decode(self, content: int, *, sha256: str | None = None) -> Radiograph:
        """content: an open descriptor; sha256: of its bytes. InputError for an unfit picture."""
