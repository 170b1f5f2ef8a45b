"""Open variants of tiny models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from edge_sr.bench.variants import Subject, Wish, open_variants

Opened = Callable[..., list[Subject]]


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def opened(warned: list[str]) -> Iterator[Opened]:
    """Opens the variants of a wish, which are closed after the test."""
    with ExitStack() as stack:

        def open_them(*models: object, **wish: Any) -> list[Subject]:
            quick = {"precisions": ("fp32",), "threads": (1,), **wish}
            return open_variants(Wish(tuple(map(str, models)), **quick), stack, warn=warned.append)

        yield open_them
