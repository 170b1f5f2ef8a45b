"""Row 18: five hundred made-up patients, in names of files, in tags and texts. None may come out where people look."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.reliability.finding import Finding
from tests.reliability.identifiers import planted, shown_in
from tests.reliability.ledger import Ledger, names
from tests.reliability.pictures import texts_of
from tests.reliability.rig import Rig
from tests.reliability.service import CONSOLE_SCRIPT, Service, wait_until

PATIENCE_S = 1.0
PROMETHEUS = "prometheus_client"  # there are no metrics without it


def identifiers(rig: Rig, count: int) -> dict[str, Finding]:
    """Half are good pictures and half are refused. The names in outgoing and done are the sender's own, by design."""
    finding, metrics = Finding(count), rig.folder / "edge-sr.prom"
    with rig.spool() as ledger:
        words = ("--incomplete-after", PATIENCE_S, *(("--metrics-file", metrics) if find_spec(PROMETHEUS) else ()))
        with rig.service(ledger.spool, *words) as service:
            service.start()
            for number in range(count):
                _, file, content = planted(number)
                ledger.give(file, content)
            if not ledger.settled(20):
                finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
            told = dict(_asked(service, ledger))
            code = service.terminate()
            if code:
                finding.fault(f"SIGTERM ended with {code}")
        told["log"] = service.log.read_bytes()
        if find_spec(PROMETHEUS):
            told["metrics"] = metrics.read_bytes()
        told |= dict(_written(ledger.spool))
        finding.figures |= {"places": len(told), "bytes_looked_through": sum(map(len, told.values()))}
        finding.figures["published"] = len(names(ledger.spool / "outgoing")) // 2
        finding.figures["quarantined"] = len(names(ledger.spool / "quarantine"))
        finding.add(f"{place} shows a patient" for place, text in told.items() if shown_in(text))
        finding.add(_nothing_is_vacuous(ledger, service))
    return {"18": finding}


def _asked(service: Service, ledger: Ledger) -> Iterator[tuple[str, bytes]]:
    """What the commands print that tell of a running service."""
    spool = str(ledger.spool)
    wait_until(lambda: bool(service.systemd.moments("STATUS")), 1)
    for words in (("status", spool), ("status", spool, "--json")):
        done = subprocess.run([str(CONSOLE_SCRIPT), *words], capture_output=True, timeout=30)
        yield " ".join(words[:1] + words[2:]), done.stdout + done.stderr
    yield "messages to systemd", repr([message for _, message in service.systemd.messages]).encode()


def _written(spool: Path) -> Iterator[tuple[str, bytes]]:
    """Sidecars, results and reasons by their content; state is the service's own and closed to others."""
    for number, name in enumerate(names(spool / "outgoing")):
        content = (spool / "outgoing" / name).read_bytes()
        yield f"outgoing {number}", content
        if name.endswith(".png"):
            yield f"texts of outgoing {number}", repr(texts_of(content)).encode()
    for job in names(spool / "quarantine"):
        yield f"reason of {job}", (spool / "quarantine" / job / "reason.json").read_bytes()
        yield f"name of {job}", job.encode()


def _nothing_is_vacuous(ledger: Ledger, service: Service) -> Iterator[str]:
    """Both ends were met, and every job stands in the log."""
    if not names(ledger.spool / "outgoing") or not names(ledger.spool / "quarantine"):
        yield "not both published and quarantined files"
    ended = sum(1 for event in service.events() if event.get("event") in ("done", "quarantined"))
    if ended < len(ledger.given):
        yield f"{len(ledger.given)} files were given, {ended} ends are in the log"
    if (ledger.spool / "state").stat().st_mode & 0o077 or (ledger.spool / "work").stat().st_mode & 0o077:
        yield "state or work are open to others"
