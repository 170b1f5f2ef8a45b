"""Rows 9 and 10: ten thousand files wait at the start, and twenty thousand arrive at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from tests.reliability.finding import Finding
from tests.reliability.ledger import Ledger, names
from tests.reliability.pictures import chosen, png
from tests.reliability.rig import Rig
from tests.reliability.service import Service, anonymous_bytes, descriptors

SMALL = [(".png", png(seed)) for seed in range(50)]
STUCK_S = 30.0
GROWTH_MIB = 10.0  # of the whole row
# Of a short one: after some hundred files the allocator's arenas and the largest batch may not have been met yet, which
# is 10 MiB once; a picture that leaks, a quarter of a MiB a file, is far above it.
SHORT, SHORT_GROWTH_MIB = 1000, 20.0
LOOKS = 20
HANDS = 4  # threads that drop the burst


def backlog(rig: Rig, count: int) -> dict[str, Finding]:
    """Memory and descriptors are looked at after the first and after the last tenth, with the service at work."""
    finding, reference = Finding(count), rig.reference(SMALL)
    with rig.spool() as ledger, rig.service(ledger.spool) as service:
        for number in range(count):
            suffix, content = chosen(SMALL, number)
            ledger.give(f"q{number:06d}{suffix}", content)
        service.start()
        start_s = time.monotonic()
        looks = _looks(
            service, ledger, marks=(max(count // 10, min(count // 2, 300)), count - count // 100), finding=finding
        )
        finding.figures["files_per_s"] = round(count / (time.monotonic() - start_s), 1)
        if not ledger.settled(STUCK_S):
            finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
        service.terminate()
        finding.add(ledger.faults(reference))
    if len(looks) == 2:
        (first_bytes, first_open), (last_bytes, last_open) = looks
        finding.figures["memory_mib"] = round(last_bytes / 2**20, 1)
        most = SHORT_GROWTH_MIB if count < SHORT else GROWTH_MIB
        finding.limit("growth_mib", (last_bytes - first_bytes) / 2**20, most=most)
        finding.figures["descriptors"] = last_open
        finding.limit("descriptors_more", last_open - first_open, most=0)
    return {"9": finding}


def _looks(service: Service, ledger: Ledger, *, marks: tuple[int, ...], finding: Finding) -> list[tuple[int, int]]:
    """(bytes, descriptors) when so many files are done: the least of some looks, since jobs at hand hold some."""
    found: list[tuple[int, int]] = []
    moved_s, last = time.monotonic(), 0
    for mark in marks:
        while (done := len(names(ledger.spool / "done"))) < mark:
            if done != last:
                moved_s, last = time.monotonic(), done
            if time.monotonic() - moved_s > STUCK_S or not service.running:
                finding.fault(f"stuck at {done} files: {service.log_end()}")
                return found
            time.sleep(0.1)
        looked = [_look(service) for _ in range(LOOKS)]
        found.append((min(memory for memory, _ in looked), min(opened for _, opened in looked)))
    return found


def _look(service: Service) -> tuple[int, int]:
    time.sleep(0.005)
    return anonymous_bytes(service.lasting()), descriptors(service.pid)


def burst(rig: Rig, count: int) -> dict[str, Finding]:
    """Made beside the spool, then renamed into it by several threads as fast as they can."""
    finding, reference = Finding(count), rig.reference(SMALL)
    with rig.spool() as ledger, rig.service(ledger.spool) as service:
        made = [_hidden(ledger, number) for number in range(count)]
        service.start()
        start_s = time.monotonic()
        hands = [threading.Thread(target=_drop, args=(made[each::HANDS],)) for each in range(HANDS)]
        for hand in hands:
            hand.start()
        for hand in hands:
            hand.join()
        finding.figures["dropped_within_s"] = round(time.monotonic() - start_s, 2)
        if not ledger.settled(STUCK_S):
            finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
        finding.figures["files_per_s"] = round(count / (time.monotonic() - start_s), 1)
        if not service.running:
            finding.fault(f"the service ended: {service.log_end()}")
        else:
            service.terminate()
        finding.add(ledger.faults(reference))
    return {"10": finding}


def _hidden(ledger: Ledger, number: int) -> Path:
    suffix, content = chosen(SMALL, number)
    return ledger.give(f"u{number:06d}{suffix}", content, hidden=True)


def _drop(paths: list[Path]) -> None:
    for path in paths:
        path.rename(path.with_name(path.name[1:]))
