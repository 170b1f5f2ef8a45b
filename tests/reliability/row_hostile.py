"""Row 8: hostile names, links and special files, and races to swap a file for a link. Nothing outside is touched."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.reliability.finding import Finding
from tests.reliability.hostile import IGNORED, PUBLISHED, QUARANTINED, Case, cases
from tests.reliability.ledger import Ledger, names
from tests.reliability.order import Call, parse, strace_command
from tests.reliability.pictures import png, sha256
from tests.reliability.rig import Rig, need
from tests.reliability.service import ROOT, Service, wait_until

CALLS = (
    "open,openat,openat2,creat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,"
    "rmdir,truncate,chmod,fchmodat,chown,lchown,fchownat,mknod,mknodat,utimensat,execve"
)
OPENING = ("open", "openat", "openat2", "creat")
OWN = (sys.prefix, sys.base_prefix, str(ROOT), "/proc/", "/sys/", "/usr/", "/lib", "/etc/ld.so.", "/etc/localtime")
WRITING = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")
PATIENCE_S = 1.0  # for a file of several names, or without an end
SWAPS_S = 5.0
CANARY = 999_983  # the seed of the picture that nobody may read


def hostile(rig: Rig, count: int) -> dict[str, Finding]:
    """count: of the cases, in their order. Traced from READY on, so that every path which is opened is seen."""
    need("strace")
    finding, trace = Finding(), rig.folder / "hostile.strace"
    outside = rig.folder / "outside"
    outside.mkdir(exist_ok=True)
    (outside / "canary.png").write_bytes(png(CANARY))
    (outside / "pipe").unlink(missing_ok=True)
    os.mkfifo(outside / "pipe")
    before = _look(outside)
    wrapper = strace_command(trace, calls=CALLS)
    with rig.spool() as ledger, rig.service(ledger.spool, "--incomplete-after", PATIENCE_S, wrapper=wrapper) as service:
        service.start()
        started = trace.stat().st_size
        spool, incoming = ledger.spool, ledger.spool / "incoming"
        made = list(cases(png, outside, incoming))[:count]
        for case in made:
            case.make(incoming / os.fsdecode(case.name))
        wait_until(lambda: _is_done(spool, made), 20)
        finding.add(fault for case in made for fault in _end_faults(spool, case))
        finding.figures["swaps"] = _swap(spool, outside, SWAPS_S if count >= len(made) > 30 else 1.0)
        _finish(service, ledger, finding)
        finding.count = len(made)
        with trace.open(errors="surrogateescape") as lines:
            lines.seek(started)
            calls = list(parse(lines))
        finding.figures["calls_looked_at"] = len(calls)
        if not any("O_NOFOLLOW" in call.flags for call in calls):
            finding.fault("strace saw no picture opened")
        finding.add(_touched(calls, spool))
        finding.add(_canary_faults(rig, spool))
    if _look(outside) != before:
        finding.fault("something outside the spool was changed")
    trace.unlink()
    return {"8": finding}


def _look(folder: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        content = sha256(path.read_bytes()) if path.is_file() else ""
        found[str(path)] = (status.st_mode, status.st_size, status.st_mtime_ns, status.st_uid, content)
    return found


def _is_done(spool: Path, made: list[Case]) -> bool:
    left = {os.fsencode(name) for name in names(spool / "incoming")}
    return not names(spool / "work") and not any(case.name in left for case in made if case.end != IGNORED)


def _end_faults(spool: Path, case: Case) -> Iterator[str]:
    """Where it is now against where it must be."""
    name = os.fsdecode(case.name)
    quarantined = [job for job in names(spool / "quarantine") if name in _inputs(spool / "quarantine" / job)]
    places = {
        PUBLISHED: name in names(spool / "done"),
        QUARANTINED: bool(quarantined),
        IGNORED: name in names(spool / "incoming"),
    }
    if [end for end, there in places.items() if there] != [case.end]:
        yield f"{case.name!r} is {[end for end, there in places.items() if there]}, and must be {case.end}"


def _inputs(job: Path) -> list[str]:
    """What is in a quarantined job but for the reason, which gives way to an input of its name."""
    found = names(job)
    found.remove("reason.1.json" if "reason.1.json" in found else "reason.json")
    return found


def _swap(spool: Path, outside: Path, seconds: float) -> int:
    """A picture and a link to the canary take turns under one name, as fast as they can, while new pictures come."""
    over, swaps = threading.Event(), [0]

    def swap() -> None:
        good, link, name = (spool / "incoming" / each for each in (".swap-good", ".swap-link", "swapped.png"))
        while not over.is_set():
            with suppress(OSError):
                good.write_bytes(png(7))
                good.rename(name)
                link.symlink_to(outside / ("canary.png" if swaps[0] % 2 else "pipe"))
                link.rename(name)
                swaps[0] += 1
        for path in (good, link, name):
            path.unlink(missing_ok=True)

    thread = threading.Thread(target=swap)
    thread.start()
    time.sleep(seconds)
    over.set()
    thread.join()
    return swaps[0]


def _finish(service: Service, ledger: Ledger, finding: Finding) -> None:
    ledger.give("last.png", png(3))
    if not wait_until((ledger.spool / "outgoing" / "last_x4.png").exists, 10):
        finding.fault(f"the service does nothing any more: {service.log_end()}")
    wait_until(lambda: not names(ledger.spool / "work"), 5)
    if not service.running:
        finding.fault(f"the service ended: {service.log_end()}")
    elif service.terminate():
        finding.fault("SIGTERM did not end with 0")
    for event in service.events():
        if event.get("event") == "bug":
            finding.fault(f"a fault nobody foresaw: {event.get('kind')} at {event.get('at')}")


def _touched(calls: list[Call], spool: Path) -> Iterator[str]:
    """Every path outside the spool that was opened or changed, but for what a program reads of its own and the system.

    Links of the spool are named by where they lie, so a link that was followed shows as a path outside.
    """
    for call in calls:
        for path in call.paths:
            inside = path == str(spool) or path.startswith(f"{spool}/")
            if call.result < 0 or (inside and "/../" not in path) or path.startswith(("/memfd:", "/dev/null")):
                continue
            if call.name not in OPENING:
                yield f"{call.name} changed {path}"
            elif any(flag in call.flags for flag in WRITING):
                yield f"{path} was opened for writing"
            elif not path.startswith(OWN):
                yield f"{path} was opened"


def _canary_faults(rig: Rig, spool: Path) -> Iterator[str]:
    """Whether the canary's picture came out under any name."""
    result = rig.reference([(".png", png(CANARY))])[sha256(png(CANARY))]
    for name in names(spool / "outgoing"):
        if name.endswith(".png") and sha256((spool / "outgoing" / name).read_bytes()) == result:
            yield f"the file outside the spool was read and published as {name!r}"
