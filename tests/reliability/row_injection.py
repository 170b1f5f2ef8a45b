"""System calls that fail in the middle of the work, as strace makes them: what fails passes, and nothing is lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from tests.reliability.finding import Finding
from tests.reliability.ledger import Ledger, names
from tests.reliability.order import strace_command
from tests.reliability.pictures import chosen
from tests.reliability.reader import Reader
from tests.reliability.rig import Rig, need
from tests.reliability.row_kills import QUICK_LOOKS
from tests.reliability.service import Service, wait_until

# Which call, with what error, and which of them; strace counts each thread's own. Not all at once, since a job that
# fails three times waits for half a minute.
INJECTED = (
    "fsync:error=EIO:when=3+11",
    "renameat2:error=EIO:when=4+13",
    "mkdirat:error=ENOSPC:when=8+9",  # the start makes six folders
    "memfd_create:error=ENOMEM:when=2+7",
    "memfd_create:error=EMFILE:when=3+8",
    "rmdir,unlinkat:error=EIO:when=2+9",
)
CALLS = "fsync,renameat2,mkdirat,memfd_create,rmdir,unlinkat"
STUCK_S, EACH_S = 90.0, 0.5  # longer than the waits of a job that fails three times


def injection(rig: Rig, count: int, *, kinds: Sequence[str] = INJECTED) -> dict[str, Finding]:
    """count: files for each kind of fault."""
    need("strace")
    finding, reference = Finding(count * len(kinds)), rig.reference()
    for number, injected in enumerate(kinds):
        trace = rig.folder / f"injection-{number}.strace"
        wrapper = strace_command(trace, calls=CALLS, inject=[injected])
        with rig.spool() as ledger, Reader(ledger.spool / "outgoing") as reader:
            for each in range(count):
                suffix, content = chosen(rig.contents, each)
                ledger.give(f"j{each:05d}{suffix}", content)
            with rig.service(ledger.spool, *QUICK_LOOKS, wrapper=wrapper) as service:
                service.start()
                if not wait_until(partial(_all_done, ledger), count * EACH_S + STUCK_S):
                    finding.fault(f"{injected}: {ledger.waiting()} files still wait")
                finding.add(f"{injected}: {fault}" for fault in _ends_well(service))
            with rig.service(ledger.spool) as service:  # without faults: what was left behind goes at the next start
                service.start()
                service.terminate()
            finding.add(f"{injected}: {fault}" for fault in [*reader.faults, *ledger.faults(reference)])
        failed = trace.read_text(errors="replace").count("(INJECTED)")
        finding.figures[injected.replace(":", " ")] = failed
        if not failed:
            finding.fault(f"{injected}: no call failed")
        trace.unlink()
    return {"injection": finding}


def _all_done(ledger: Ledger) -> bool:
    return len(names(ledger.spool / "done")) == len(ledger.given)


def _ends_well(service: Service) -> Iterator[str]:
    if not service.running:
        yield f"the service ended: {service.log_end()}"
    elif service.terminate():
        yield "SIGTERM did not end with 0"
    yield from (f"bug at {event['at']}" for event in service.events() if event["event"] == "bug")
