"""Rows 1 and 2: the service is killed at random moments while somebody reads outgoing; nothing may be lost."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from tests.reliability.finding import Finding
from tests.reliability.ledger import Ledger, names
from tests.reliability.pictures import chosen
from tests.reliability.reader import Reader
from tests.reliability.rig import Rig
from tests.reliability.service import Service, ServiceFault, is_alive, wait_until

BACKLOG = 150  # files that wait whenever the service starts: it has work at every moment
QUICK_LOOKS = ("--scan-interval", 0.1)  # a file that waits at the start is taken at the second look
EARLIEST_S, LATEST_S = 0.15, 0.6  # after READY, which is when that second look comes and the work goes on
IN_FLIGHT, ENOUGH = 0.9, 50  # of so many kills, at least; of fewer the share says little
STUCK_S = 20.0  # without any progress


def kills(
    rig: Rig, count: int, *, launcher: Sequence[str] = (), stuck_s: float = STUCK_S, seed: int = 1
) -> dict[str, Finding]:
    """One kill in ten falls into the start of the service; half of all go to the whole process group."""
    killed, read = Finding(count), Finding(count)
    draw = np.random.default_rng(seed)
    reference = rig.reference()
    with rig.spool() as ledger, rig.service(ledger.spool, *QUICK_LOOKS, launcher=launcher) as service:
        in_flight = left_behind = 0
        with Reader(ledger.spool / "outgoing") as reader:
            for number in range(count):
                _top_up(ledger, rig)
                was_at_work = _killed(service, draw, at_start=number % 10 == 9, whole_group=number % 2 == 0)
                in_flight += was_at_work
                left_behind = max(left_behind, len(names(ledger.spool / "work")))
            killed.add(_end(service, ledger, stuck_s))
        killed.add(ledger.faults(reference))
        killed.figures |= {"files": len(ledger.given), "most_claims_at_a_kill": left_behind}
        killed.least("in_flight_share", in_flight / max(1, count), least=IN_FLIGHT if count >= ENOUGH else 0.5)
        read.figures |= {"looks": reader.looks, "pictures_read": reader.read}
        read.add(reader.faults)
        if not reader.read:
            read.fault("the reader saw no picture")
    return {"1": killed, "2": read}


def _top_up(ledger: Ledger, rig: Rig) -> None:
    for _ in range(max(0, BACKLOG - ledger.waiting())):
        number = len(ledger.given)
        suffix, content = chosen(rig.contents, number)
        ledger.give(f"p{number:06d}{suffix}", content)


def _killed(service: Service, draw: np.random.Generator, *, at_start: bool, whole_group: bool) -> bool:
    """Start, wait, kill; whether a claim was held in that moment, which the folder of a dead service proves."""
    service.start(wait=not at_start)
    time.sleep(draw.uniform(0 if at_start else EARLIEST_S, LATEST_S))
    below = service.processes()[1:]
    service.kill(whole_group=whole_group)
    if not wait_until(lambda: not any(map(is_alive, below)), 5):
        raise ServiceFault("a child of the service outlives it by 5 s")
    return bool(names(service.spool / "work"))


def _end(service: Service, ledger: Ledger, stuck_s: float) -> list[str]:
    """Let it finish undisturbed."""
    service.start()
    faults = [] if ledger.settled(stuck_s) else [f"nothing moves any more; {ledger.waiting()} files wait"]
    code = service.terminate()
    return faults + ([f"SIGTERM ended with {code}"] if code else [])
