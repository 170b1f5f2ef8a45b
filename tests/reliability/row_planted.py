"""Row 3: five deliberate faults; each must be caught, and the service as it is must pass the same checks."""

from __future__ import annotations

from tests.reliability.finding import Finding
from tests.reliability.planted import FAULTS, SAID, launcher
from tests.reliability.rig import Rig
from tests.reliability.row_kills import kills
from tests.reliability.row_order import order
from tests.reliability.service import ServiceFault

KILLS, TRACED = 6, 12


def planted(rig: Rig, count: int) -> dict[str, Finding]:
    """count: of the faults, in their order."""
    finding, chosen = Finding(count), list(FAULTS)[:count]
    sound = _caught(rig, [])
    if sound:
        finding.fault(f"without a fault planted, these fail: {', '.join(sound)}: {next(iter(sound.values()))[0]}")
    for fault in chosen:
        caught = _caught(rig, launcher(fault))
        finding.figures[fault] = sorted(caught)
        if not any(SAID[fault] in each for faults in caught.values() for each in faults):
            finding.fault(f"{fault} is not caught by any check: {caught}")
    finding.figures["caught"] = sum(1 for fault in chosen if finding.figures[fault])
    return {"3": finding}


def _caught(rig: Rig, words: list[str]) -> dict[str, list[str]]:
    """The checks that found something -> what they found."""
    found: dict[str, Finding] = {}
    try:
        found |= {"order of calls": order(rig, TRACED, launcher=words)["4"]}
        looped = kills(rig, KILLS, launcher=words)
        found |= {"kill loop": looped["1"], "reader": looped["2"]}
    except ServiceFault as fault:
        found["service"] = Finding(faults=[str(fault)])
    return {check: finding.faults for check, finding in found.items() if finding.faults}
