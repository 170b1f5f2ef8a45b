"""Rows 6 and 7: broken pictures and bombs. None may harm the service or hold up the good file that comes next."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.reliability.bombs import bombs
from tests.reliability.finding import Finding
from tests.reliability.ledger import Ledger, names, pair_faults, wait_for_file
from tests.reliability.mutations import mutant
from tests.reliability.pictures import png, sha256, size_of
from tests.reliability.rig import Rig
from tests.reliability.service import Service, anonymous_bytes, resident_bytes

BATCH = 50  # mutants between two good files
MOST_PIXELS = (
    250_000  # a mutant that is a whole picture of many millions would be no hang, and take its time all the same
)
NEXT_GOOD_S = 5.0
HANGS_S = 10.0
PATIENCE_S = 2.0  # for a file without a proper end; a minute where nobody waits for the result
WORDS = ("--incomplete-after", PATIENCE_S, "--max-pixels", MOST_PIXELS)
GROWTH_MIB = 20.0
REASONS = ("refused", "incomplete", "decoder-crashed", "decoder-timeout", "decoder-memory")


def malformed(rig: Rig, count: int) -> dict[str, Finding]:
    """Mutants in batches, a good file after each; those without an end are still waited for when it comes."""
    finding, good_s = Finding(count), list[float]()
    with rig.spool() as ledger, rig.service(ledger.spool, *WORDS) as service:
        service.start()
        pid = service.pid
        for start in range(0, count, BATCH):
            for seed in range(start, min(count, start + BATCH)):
                suffix, content = mutant(seed)
                ledger.give(f"m{seed:06d}{suffix}", content)
            good_s.append(_good_one(ledger, f"good{start:06d}.png", start))
        if not ledger.settled(HANGS_S + PATIENCE_S):
            finding.fault(f"{ledger.waiting()} files are neither published nor quarantined")
        _still_the_same(service, pid, finding)
        finding.add(_outcomes(ledger, finding))
    finding.limit("next_good_s_most", max(good_s), most=NEXT_GOOD_S)
    return {"6": finding}


def _good_one(ledger: Ledger, name: str, seed: int) -> float:
    start_s = time.monotonic()
    ledger.give(name, png(seed))
    wait_for_file(ledger.spool / "outgoing" / f"{Path(name).stem}_x4.png", 3 * HANGS_S)
    return time.monotonic() - start_s


def _still_the_same(service: Service, pid: int, finding: Finding) -> None:
    if not service.running or service.pid != pid:
        finding.fault(f"the service ended: {service.log_end()}")
        return
    code = service.terminate()
    if code:
        finding.fault(f"SIGTERM ended with {code}")
    slow = [event for event in service.events() if _milliseconds(event) > HANGS_S * 1e3]
    finding.figures["longest_job_s"] = round(max(map(_milliseconds, service.events()), default=0.0) / 1e3, 3)
    if slow:
        finding.fault(f"{len(slow)} jobs took longer than {HANGS_S:g} s")
    for event in service.events():
        if event.get("event") == "bug":
            finding.fault(f"a fault nobody foresaw: {event.get('kind')} at {event.get('at')}")


def _milliseconds(event: dict[str, object]) -> float:
    value = event.get("total_ms", 0.0)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _outcomes(ledger: Ledger, finding: Finding) -> Iterator[str]:
    """Every file is in exactly one place: published and true to its size, or in quarantine with a reason."""
    outgoing, quarantined = ledger.spool / "outgoing", _quarantined(ledger.spool)
    reasons: Counter[str] = Counter()
    for name, digest in ledger.given.items():
        picture = outgoing / f"{Path(name).stem}_x4.png"
        reason = quarantined.get(name)
        if picture.exists() == (reason is not None):
            yield f"{name} is {'both published and quarantined' if reason else 'neither published nor quarantined'}"
        elif reason is None:
            reasons["published"] += 1
            yield from pair_faults(picture, picture.with_suffix(".json"))
            yield from _size_faults(ledger.spool / "done" / name, picture, digest)
        else:
            reasons[reason] += 1
            if reason not in REASONS:
                yield f"{name} is quarantined for {reason!r}"
    finding.figures |= dict(sorted(reasons.items()))


def _quarantined(spool: Path) -> dict[str, str]:
    """Name of the input -> reason code."""
    found = dict[str, str]()
    for job in names(spool / "quarantine"):
        folder = spool / "quarantine" / job
        reason = json.loads((folder / "reason.json").read_bytes())["reason"]
        found |= {name: reason for name in names(folder) if name != "reason.json" and not name.startswith(".")}
    return found


def _size_faults(source: Path, picture: Path, digest: str) -> Iterator[str]:
    if sha256(source.read_bytes()) != digest:
        yield f"{source.name} was changed on its way to done"
    width, height = size_of(source.read_bytes())
    if size_of(picture.read_bytes()) not in ((4 * width, 4 * height), (4 * height, 4 * width)):
        yield f"{picture.name} is not four times as wide and high as its input"  # turned by its EXIF is right


def decompression_bombs(rig: Rig, count: int) -> dict[str, Finding]:
    """The service's own memory is looked at all through; that of the decoder's child ends with it."""
    finding, good_s = Finding(count), list[float]()
    with rig.spool() as ledger, rig.service(ledger.spool, "--incomplete-after", PATIENCE_S) as service:
        service.start()
        pid = service.pid
        for number in range(20):
            _good_one(ledger, f"warm{number:03d}.png", number)
        before, before_lasting = resident_bytes(pid), anonymous_bytes(service.lasting())
        with _Peak(pid) as peak:
            for number, (suffix, content) in enumerate(bombs()):
                if number == count:
                    break
                ledger.give(f"b{number:03d}{suffix}", content)
                good_s.append(_good_one(ledger, f"good{number:03d}.png", number))
            if not ledger.settled(HANGS_S + PATIENCE_S):
                finding.fault(f"{ledger.waiting()} files are neither published nor quarantined")
        after_lasting = anonymous_bytes(service.lasting())
        _still_the_same(service, pid, finding)
        finding.add(_bomb_outcomes(ledger, finding))
    finding.limit("growth_mib_most", (peak.most - before) / 2**20, most=GROWTH_MIB)
    finding.limit("growth_of_lasting_processes_after_mib", (after_lasting - before_lasting) / 2**20, most=GROWTH_MIB)
    finding.limit("next_good_s_most", max(good_s), most=NEXT_GOOD_S)
    return {"7": finding}


def _bomb_outcomes(ledger: Ledger, finding: Finding) -> Iterator[str]:
    quarantined = _quarantined(ledger.spool)
    reasons = Counter(quarantined.values())
    for name in ledger.given:
        published = (ledger.spool / "outgoing" / f"{Path(name).stem}_x4.png").exists()
        reasons["published"] += published and name.startswith("b")
        if published == (name in quarantined):
            yield f"{name} is neither published nor quarantined, or both"
    finding.figures |= dict(sorted(reasons.items()))


class _Peak:
    """The most resident memory of a process within the block, by its own looks: VmHWM would tell of the start too."""

    def __init__(self, pid: int) -> None:
        self.most, self._pid, self._over = 0, pid, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Peak:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.005):
            self.most = max(self.most, resident_bytes(self._pid))
