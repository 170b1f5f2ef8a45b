"""A thousand requests that no browser sends: the server stays, keeps its memory, and says nothing of what they held."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks.malformed_requests import KINDS, malformed, send
from edge_sr.demo.serve import Show
from tests.demo.pictures import png
from tests.demo.serving import served

COUNT = 1000
GROWTH_BYTES = 30 << 20


def resident_bytes() -> int:
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) << 10


def test_a_thousand_malformed_requests(show: Show, capfd: pytest.CaptureFixture[str]) -> None:
    with served(show) as url:
        host, port = httpx.URL(url).host, httpx.URL(url).port or 0
        for request in malformed(2 * len(KINDS), seed=1):  # what is kept from a first time is no growth
            send(*request, host, port)
        before = resident_bytes()
        answers = [send(*request, host, port) for request in malformed(COUNT)]
        grown = resident_bytes() - before
        assert httpx.post(f"{url}api/upscale", content=png(), timeout=30).status_code == 200
    statuses = Counter(answer.split(b" ")[1] if answer else b"" for answer in answers)
    assert statuses[b"500"] == 0 and statuses[b"422"] > COUNT / 10 and statuses[b"400"] > COUNT / 10
    assert grown < GROWTH_BYTES
    said = capfd.readouterr()
    assert "bug in edge-sr" not in said.err + said.out and "Traceback" not in said.err + said.out
