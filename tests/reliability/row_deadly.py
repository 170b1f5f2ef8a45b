"""A picture at which the service dies, every time, is set aside in the end; the others come through."""

from __future__ import annotations

import json
from pathlib import Path

from tests.reliability.finding import Finding
from tests.reliability.ledger import names
from tests.reliability.pictures import png
from tests.reliability.planted import launcher
from tests.reliability.rig import Rig
from tests.reliability.row_kills import QUICK_LOOKS
from tests.reliability.service import Service, wait_until

MOST_STARTS = 20  # what the unit allows within its interval
OTHERS = 20


def deadly(rig: Rig, count: int) -> dict[str, Finding]:
    """count: of such pictures, among the others. The service is started again whenever it has died, as systemd does."""
    finding = Finding(count)
    with rig.spool() as ledger, rig.service(ledger.spool, *QUICK_LOOKS, launcher=launcher("deadly-picture")) as service:
        for number in range(OTHERS):
            ledger.give(f"other{number}.png", png(number))
            if number < count:
                ledger.give(f"deadly{number}.png", png(100 + number))
        starts = 0
        while starts < MOST_STARTS * count and not (starts and _settled(service)):
            service.start(wait=False)
            starts += 1
        finding.figures["starts"] = starts
        if not service.running:
            finding.fault(f"the service dies again and again; {ledger.waiting()} files wait")
        else:
            service.terminate()
        reasons = dict(_reasons(ledger.spool))
        finding.figures["reasons"] = sorted(set(reasons.values()))
        if {name: reason for name, reason in reasons.items() if reason == "too-often"}.keys() != {
            f"deadly{number}.png" for number in range(count)
        } or len(reasons) != count:
            finding.fault(f"in quarantine are {reasons}")
        if len(names(ledger.spool / "done")) != OTHERS:
            finding.fault(f"{OTHERS - len(names(ledger.spool / 'done'))} other pictures did not come through")
    return {"deadly": finding}


def _settled(service: Service) -> bool:
    """Whether it comes to rest before it dies."""
    spool = service.spool
    wait_until(lambda: not service.running or not (names(spool / "incoming") or names(spool / "work")), 30)
    return service.running


def _reasons(spool: Path) -> list[tuple[str, str]]:
    """(name, reason) of all in quarantine."""
    found = []
    for job in names(spool / "quarantine"):
        reason = json.loads((spool / "quarantine" / job / "reason.json").read_bytes())["reason"]
        inputs = [name for name in names(spool / "quarantine" / job) if name.endswith(".png")]
        found += [(name, reason) for name in inputs]
    return found
