"""Reading what a visitor uploads: judged by its declared length, counted while it comes, given up when it stalls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from edge_sr.demo.declined import Declined

PATIENCE_S = 20.0  # for a whole upload; a slower one keeps a seat from others


async def whole(
    chunks: AsyncIterator[bytes], declared: str | None, *, most_bytes: int, patience_s: float = PATIENCE_S
) -> bytes:
    """The body. declared: the Content-Length header. Declined where it is too large, empty, or does not come."""
    if declared is not None and (not declared.isdecimal() or len(declared) > 15 or int(declared) > most_bytes):
        raise _too_large(most_bytes)
    try:
        content = await asyncio.wait_for(_counted(chunks, most_bytes), patience_s)
    except asyncio.TimeoutError:
        raise Declined(408, "the upload did not come in time", expected=f"within {patience_s:g} s") from None
    return content


async def _counted(chunks: AsyncIterator[bytes], most_bytes: int) -> bytes:
    parts, count = [], 0
    async for chunk in chunks:
        count += len(chunk)
        if count > most_bytes:
            raise _too_large(most_bytes)
        parts.append(chunk)
    return b"".join(parts)


def _too_large(most_bytes: int) -> Declined:
    what = "this file is too large for this page"
    return Declined(
        413, what, expected=f"at most {most_bytes / 1e6:.0f} MB", hint="edge-sr run FILE", code="too-many-bytes"
    )
