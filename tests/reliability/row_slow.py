"""Row 11: files that are written where they lie, slowly and with pauses. None may be taken before its last byte."""

from __future__ import annotations

import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np

from tests.reliability.finding import Finding
from tests.reliability.ledger import Ledger
from tests.reliability.pictures import chosen, sha256
from tests.reliability.rig import Rig

WRITERS = 60  # files at a time
PIECES = (2, 6)
PAUSES_S = (0.05, 0.6)
LONG_PAUSE_S = 2.6  # longer than two looks of the service; one pause of each file
SETTLED_S = 20.0


def slow(rig: Rig, count: int, *, seed: int = 11) -> dict[str, Finding]:
    """At a third of them a second descriptor is closed after each piece; the kernel tells that as a file written."""
    finding, reference = Finding(count), rig.reference()
    early: list[str] = []
    with rig.spool() as ledger, rig.service(ledger.spool) as service:
        service.start()
        numbers = iter(range(count))
        lock = threading.Lock()

        def work() -> None:
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                suffix, content = chosen(rig.contents, number)
                early.extend(_write_slowly(ledger, f"w{number:05d}{suffix}", content, seed=seed + number))

        writers = [threading.Thread(target=work) for _ in range(min(WRITERS, count))]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        if not ledger.settled(SETTLED_S):
            finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
        service.terminate()
        finding.add(early)
        finding.figures["taken_early"] = len(early)
        finding.add(ledger.faults(reference))
    return {"11": finding}


def _write_slowly(ledger: Ledger, name: str, content: bytes, *, seed: int) -> list[str]:
    """What was wrong: the file had left its place before the last piece was in it."""
    draw = np.random.default_rng(seed)
    ledger.given[name] = sha256(content)
    path = ledger.spool / "incoming" / name
    places = [0, *sorted(draw.integers(1, len(content), int(draw.integers(*PIECES))).tolist()), len(content)]
    pauses = draw.uniform(*PAUSES_S, len(places))
    pauses[int(draw.integers(1, len(places) - 1))] = LONG_PAUSE_S
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        for piece, (start, end) in enumerate(pairwise(places)):
            if piece:
                time.sleep(pauses[piece])
                if not _still_there(path, file):
                    return [f"{name} was taken after {start} of {len(content)} bytes"]
            os.write(file, content[start:end])
            if seed % 3 == 0:  # each end of writing is told as IN_CLOSE_WRITE
                os.close(os.open(f"/proc/self/fd/{file}", os.O_WRONLY))
    finally:
        os.close(file)
    return []


def _still_there(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False
