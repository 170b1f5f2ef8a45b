"""edge_sr/demo/uploads.py: what is too large or too slow is not waited for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from edge_sr.demo.declined import Declined
from edge_sr.demo.uploads import whole


async def chunks(*parts: bytes, pause_s: float = 0.0) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
        await asyncio.sleep(pause_s)


def read(declared: str | None, *parts: bytes, most: int = 10, pause_s: float = 0.0) -> bytes:
    return asyncio.run(whole(chunks(*parts, pause_s=pause_s), declared, most_bytes=most, patience_s=0.2))


def test_an_upload_is_put_together() -> None:
    assert read("6", b"abc", b"def") == b"abcdef"
    assert read(None, b"abc") == b"abc"


@pytest.mark.parametrize("declared", ["11", "-1", "1e1", "x", "9" * 30])
def test_one_that_is_declared_too_large_is_declined_before_it_is_read(declared: str) -> None:
    with pytest.raises(Declined, match="too large") as caught:
        read(declared)
    assert caught.value.status == 413


def test_one_that_grows_too_large_is_declined() -> None:
    with pytest.raises(Declined, match="too large"):
        read("3", b"abcdef", b"ghijkl")


def test_one_that_stalls_is_given_up() -> None:
    with pytest.raises(Declined, match="in time") as caught:
        read("6", b"abc", b"def", pause_s=0.5)
    assert caught.value.status == 408
