"""Row 5: the disk fills up and is freed again, over and over, while pictures wait."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from tests.reliability.finding import Finding
from tests.reliability.ledger import Ledger, names
from tests.reliability.pictures import chosen
from tests.reliability.reader import Reader
from tests.reliability.rig import Rig, small_file_system
from tests.reliability.service import Service, wait_until

DISK_MIB = 128  # room for the results of 100 cycles, of at most 300 kB each
EACH_CYCLE = 3  # files that arrive while the disk is full
FULL_S = 0.5
RESUMES_S = 5.0
ASKED = 5  # cycles in which the status is asked for; each takes a process


def full_disk(rig: Rig, count: int) -> dict[str, Finding]:
    finding = Finding(count)
    resumed: list[float] = []
    reference = rig.reference()
    with small_file_system(rig.folder / "disk", mib=DISK_MIB) as disk, rig.spool(disk) as ledger:
        with rig.service(ledger.spool) as service, Reader(ledger.spool / "outgoing") as reader:
            service.log = rig.folder / "full-disk.log"
            service.start()
            for cycle in range(count):
                resumed.append(_cycle(rig, service, ledger, disk / "filler", finding, asks=cycle < ASKED))
            if not ledger.settled(20):
                finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
            code = service.terminate()
            if code:
                finding.fault(f"SIGTERM ended with {code}")
            finding.add(reader.faults)
        finding.add(ledger.faults(reference))
    finding.limit("resumes_s_most", max(resumed), most=RESUMES_S)
    finding.figures["resumes_s_median"] = round(sorted(resumed)[len(resumed) // 2], 3)
    return {"5": finding}


def _cycle(rig: Rig, service: Service, ledger: Ledger, filler: Path, finding: Finding, *, asks: bool) -> float:
    """Seconds from the free disk to the last of the results that had to wait."""
    before = len(names(ledger.spool / "done"))
    waiting = [_aside(rig, ledger) for _ in range(EACH_CYCLE)]
    _fill(filler)
    for hidden in waiting:
        hidden.rename(hidden.with_name(hidden.name[1:]))
    time.sleep(FULL_S)
    for name in names(ledger.spool / "outgoing"):
        if name.endswith(".png") and not (ledger.spool / "outgoing" / f"{name[:-4]}.json").exists():
            finding.fault(f"{name} is there without its sidecar, on a full disk")
    if len(names(ledger.spool / "done")) > before:
        finding.fault("a claim was dropped on a full disk")
    if asks and service.status().get("ready") is not False:
        finding.fault("the status says ready on a full disk")
    filler.unlink()
    free_s = time.monotonic()
    if not wait_until(lambda: not ledger.waiting(), 4 * RESUMES_S):
        finding.fault(f"{ledger.waiting()} files still wait {4 * RESUMES_S:g} s after the disk is free")
    took_s = time.monotonic() - free_s
    if asks and service.status().get("ready") is not True:
        finding.fault("the status does not say ready on a free disk")
    return took_s


def _aside(rig: Rig, ledger: Ledger) -> Path:
    """A file that lies in incoming under a hidden name, since nothing can be written on a full disk."""
    suffix, content = chosen(rig.contents, len(ledger.given))
    return ledger.give(f"d{len(ledger.given):06d}{suffix}", content, hidden=True)


def _fill(path: Path) -> None:
    """Every block of the file system."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 20, 1 << 12):
            block = bytes(size)
            with contextlib.suppress(OSError):
                while os.write(file, block):
                    pass
    finally:
        os.close(file)
