"""Row 14: what systemd is told: READY after the self-test, WATCHDOG in time under load, silence of a hung worker."""

from __future__ import annotations

import time

from tests.reliability.finding import Finding
from tests.reliability.pictures import chosen, png
from tests.reliability.planted import launcher
from tests.reliability.rig import Rig
from tests.reliability.service import Service

WATCHDOG_S = 2.0
STALLED_S = 0.5
ENV = {"WATCHDOG_USEC": str(int(WATCHDOG_S * 1e6))}


def notify(rig: Rig, count: int) -> dict[str, Finding]:
    """count: seconds under load."""
    finding = Finding(count, figures={"watchdog_s": WATCHDOG_S})
    _under_load(rig, count, finding)
    _hung(rig, finding)
    _failing(rig, finding)
    return {"14": finding}


def _under_load(rig: Rig, seconds: float, finding: Finding) -> None:
    with rig.spool() as ledger, rig.service(ledger.spool, env=ENV) as service:
        for number in range(50):
            suffix, content = chosen(rig.contents, number)
            ledger.give(f"n{number:06d}{suffix}", content)
        service.start()
        _ready_faults(service, finding)
        end_s, number = time.monotonic() + seconds, 50
        while time.monotonic() < end_s:
            if ledger.waiting() < 30:
                suffix, content = chosen(rig.contents, number)
                ledger.give(f"n{number:06d}{suffix}", content)
                number += 1
        beats = [at for at in service.systemd.moments("WATCHDOG") if at > end_s - seconds]
        code = service.terminate()
        if code:
            finding.fault(f"SIGTERM ended with {code}")
        if not service.systemd.moments("STOPPING"):
            finding.fault("no STOPPING=1 at the stop")
    gaps = [after - before for before, after in zip([end_s - seconds, *beats], [*beats, end_s], strict=True)]
    finding.figures |= {"files": number, "watchdog_messages": len(beats)}
    finding.limit("watchdog_gap_s_most", max(gaps), most=WATCHDOG_S)


def _ready_faults(service: Service, finding: Finding) -> None:
    """READY comes once, and not before the log says that the self-test's model works."""
    if len(service.systemd.moments("READY")) != 1:
        finding.fault(f"READY came {len(service.systemd.moments('READY'))} times")
    if not service.systemd.moments("STATUS"):
        finding.fault("no STATUS was told")
    told = [str(event["event"]) for event in service.events()]
    if "ready" not in told or any(event in ("done", "quarantined") for event in told[: told.index("ready")]):
        finding.fault(f"READY came before the model was ready: {told[:5]}")


def _hung(rig: Rig, finding: Finding) -> None:
    words = ("--stalled-after", STALLED_S)
    with rig.spool() as ledger, rig.service(ledger.spool, *words, env=ENV, launcher=launcher("hung-worker")) as service:
        service.start()
        ledger.give("first.png", png(1))
        ledger.settled(5)
        ledger.give("second.png", png(2))
        time.sleep(2 * STALLED_S + WATCHDOG_S)
        hung_s = time.monotonic()
        time.sleep(2 * WATCHDOG_S)
        late = [at for at in service.systemd.moments("WATCHDOG") if at > hung_s]
        if late:
            finding.fault(f"{len(late)} signs of life while the worker hangs")
        status = service.status()
        if status.get("live") is not True or status.get("ready") is not False:
            finding.fault(f"the status of a hung service says live {status.get('live')}, ready {status.get('ready')}")
        service.kill(whole_group=True)
    finding.figures["signs_of_life_of_a_hung_worker"] = len(late)


def _failing(rig: Rig, finding: Finding) -> None:
    """A model that makes wrong pictures never gets to READY."""
    with rig.spool() as ledger, rig.service(ledger.spool, env=ENV, launcher=launcher("wrong-pictures")) as service:
        service.start(wait=False)
        code = service.process.wait(30)
        if not code or service.systemd.moments("READY"):
            finding.fault(f"a model that fails its self-test: exit {code}, READY {service.systemd.moments('READY')}")
        finding.figures["exit_code_of_a_failed_self_test"] = code
