"""Rows 12 and 13: the same inputs again and again across restarts, and two hundred orderly stops."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np

from tests.reliability.finding import Finding
from tests.reliability.ledger import Ledger, names, plain_stem
from tests.reliability.pictures import encoded, grey, sha256
from tests.reliability.rig import Rig
from tests.reliability.row_kills import QUICK_LOOKS
from tests.reliability.service import Service, ServiceFault

TIMES, RESTARTS = 3, 5
STUCK_S = 20.0
STOP_LIMIT_S = 20.0  # of the service's own; systemd waits longer
BACKLOG = 40


def repeats(rig: Rig, count: int, *, seed: int = 12) -> dict[str, Finding]:
    """Each input is another picture. They are given three times in three orders; the service is stopped five times."""
    finding, draw = Finding(count), np.random.default_rng(seed)
    contents = {f"r{number:05d}.png": encoded(grey(10_000 + number)) for number in range(count)}
    reference = dict(rig.reference([(".png", content) for content in contents.values()]))
    with rig.spool() as ledger, rig.service(ledger.spool, *QUICK_LOOKS) as service:
        restarts = 0
        for turn in range(TIMES):
            for name in draw.permutation(list(contents)).tolist():
                ledger.give(name, contents[name])
            for _ in range((RESTARTS + turn) // TIMES):
                restarts += _interrupted(service, draw, kill=turn == 1)
            service.start()
            if not ledger.settled(STUCK_S):
                finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
            service.terminate()
        finding.figures |= {"submitted": TIMES * count, "restarts": restarts}
        finding.add(_repeat_faults(ledger, reference, finding))
    return {"12": finding}


def _interrupted(service: Service, draw: np.random.Generator, *, kill: bool) -> int:
    service.start()
    time.sleep(draw.uniform(0.1, 0.8))
    if kill:
        service.kill(whole_group=True)
    else:
        service.terminate()
    return 1


def _repeat_faults(ledger: Ledger, reference: dict[str, str], finding: Finding) -> list[str]:
    outgoing = set(names(ledger.spool / "outgoing"))
    pictures = sorted(name for name in outgoing if name.endswith(".png"))
    finding.figures["results"] = len(pictures)
    faults = []
    if len(pictures) != len(ledger.given) or len(outgoing) != 2 * len(pictures):
        faults.append(f"{len(ledger.given)} inputs, {len(pictures)} results, {len(outgoing)} files in outgoing")
    for name, digest in ledger.given.items():
        made = ledger.spool / "outgoing" / f"{Path(name).stem}_x4.png"
        if not made.exists():
            faults.append(f"{name} has no result")
        elif sha256(made.read_bytes()) != reference[digest]:
            faults.append(f"differing: {made.name} is not what an undisturbed run makes")
    done = [plain_stem(name) for name in names(ledger.spool / "done")]
    if len(done) != TIMES * len(ledger.given):
        faults.append(f"{TIMES * len(ledger.given)} files were given, {len(done)} are in done")
    left = ledger.waiting()
    return [*faults, *([f"{left} files are left"] if left else [])]


def stops(rig: Rig, count: int, *, seed: int = 13) -> dict[str, Finding]:
    """SIGTERM at random moments of the work; one in ten falls into the start."""
    finding, draw, took = Finding(count), np.random.default_rng(seed), list[float]()
    reference, before_ready = rig.reference(), 0
    with rig.spool() as ledger, rig.service(ledger.spool, *QUICK_LOOKS) as service:
        for number in range(count):
            _top_up(ledger, rig)
            at_start = number % 10 == 9
            service.start(wait=not at_start)
            time.sleep(draw.uniform(0.4, 0.8) if at_start else draw.uniform(0, 0.4))
            start_s = time.monotonic()
            try:
                code = service.terminate(STOP_LIMIT_S)
            except ServiceFault as fault:
                finding.fault(str(fault))
                continue
            took.append(time.monotonic() - start_s)
            if code == -signal.SIGTERM and at_start and not service.systemd.moments("READY"):
                before_ready += 1  # the signal came before Python could take it; to systemd that is a clean end too
            elif code:
                finding.fault(f"stop {number} ended with {code}: {service.log_end()[-300:]}")
        service.start()
        if not ledger.settled(STUCK_S):
            finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
        service.terminate()
        finding.add(ledger.faults(reference))
    finding.limit("stop_s_most", max(took, default=float("nan")), most=STOP_LIMIT_S)
    finding.figures |= {"stop_s_median": round(float(np.median(took)), 3), "files": len(ledger.given)}
    finding.figures["ended_by_the_signal_before_ready"] = before_ready
    return {"13": finding}


def _top_up(ledger: Ledger, rig: Rig) -> None:
    for _ in range(max(0, BACKLOG - ledger.waiting())):
        number = len(ledger.given)
        suffix, content = rig.contents[number % len(rig.contents)]
        ledger.give(f"t{number:06d}{suffix}", content)
