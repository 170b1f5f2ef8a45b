"""Whether the process grows while it works: a service runs for months."""

from __future__ import annotations

import time
from collections.abc import Callable

from build_engines.device_check.steps import Findings, NotAvailable
from build_engines.device_check.subject import Subject
from edge_sr.bench.latency import timed
from edge_sr.bench.memory import resident_kib

SETTLING = 200  # calls before the first look: pools fill up, a graph is captured
LOOKS = 10
MOST_CALLS = 10_000
MOST_GROWTH_KIB = 4096  # over all calls; one 256x256 picture lost a call would be 2.5 GB


def measure_growth(
    subject: Subject, precision: str, *, seconds: float, resident: Callable[[], int | None] = resident_kib
) -> Findings:
    """Resident memory at LOOKS moments of many calls; more than MOST_GROWTH_KIB from first to last is a fault."""
    with subject.opened(precision) as session:
        (feeds,) = subject.feeds(session)
        timed(lambda: session.run(feeds), seconds=0, least=SETTLING)
        looks_kib, calls, free_mib = [_look(resident)], 0, [_free_mib(subject)]
        start_s = time.perf_counter()
        for _ in range(LOOKS - 1):
            share_s, most = seconds / (LOOKS - 1), MOST_CALLS // (LOOKS - 1)
            calls += len(timed(lambda: session.run(feeds), seconds=share_s, least=10, most=most))
            looks_kib.append(_look(resident))
        taken_s = time.perf_counter() - start_s
        free_mib.append(_free_mib(subject))
    growth = looks_kib[-1] - looks_kib[0]
    figures = {
        "calls": calls,
        "seconds": round(taken_s, 3),
        "resident_kib": looks_kib,
        "growth_kib": growth,
        "most_growth_kib": MOST_GROWTH_KIB,
        "gpu_free_mib": None if free_mib[0] is None else free_mib,  # other programs move it too: told, not judged
    }
    faults = (f"the process grew by {growth} KiB in {calls} calls",) if growth > MOST_GROWTH_KIB else ()
    return Findings(figures, faults, f"{growth:+d} KiB in {calls} calls")


def _look(resident: Callable[[], int | None]) -> int:
    found = resident()
    if found is None:
        raise NotAvailable("this system does not tell what a process holds in memory")
    return found


def _free_mib(subject: Subject) -> int | None:
    if not subject.tensorrt:
        return None
    from edge_sr.backends.cuda_driver import free_mib, probe

    return free_mib(probe())
