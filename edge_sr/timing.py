"""Where the time of one picture goes, phase by phase."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Phases:
    """Milliseconds by phase, in the order in which the phases first began.

    >>> phases = Phases()
    >>> with phases("decode"):
    ...     pass
    >>> list(phases.ms)
    ['decode']
    """

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Add the time spent inside the block to phase ``name``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.ms[name] = self.ms.get(name, 0.0) + (time.perf_counter() - start) * 1e3

    @property
    def total_ms(self) -> float:
        return sum(self.ms.values())
