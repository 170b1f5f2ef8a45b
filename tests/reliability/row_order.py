"""Row 4: every publish in the order fsync(temp), rename, fsync(folder), drop claim, as strace saw it."""

from __future__ import annotations

from collections.abc import Sequence

from tests.reliability.finding import Finding
from tests.reliability.order import Order, parse, strace_command
from tests.reliability.pictures import chosen
from tests.reliability.rig import Rig, need


def order(rig: Rig, count: int, *, launcher: Sequence[str] = ()) -> dict[str, Finding]:
    """Half of the files wait at the start, so that several are published together; the others come one by one."""
    need("strace")
    finding, trace = Finding(count), rig.folder / "order.strace"
    with rig.spool() as ledger, rig.service(ledger.spool, launcher=launcher, wrapper=strace_command(trace)) as service:
        for number in range(count):
            if number == count // 2:
                service.start()
            suffix, content = chosen(rig.contents, number)
            ledger.give(f"o{number:05d}{suffix}", content)
            if number > count // 2:
                ledger.settled(5)
        if not ledger.settled(20):
            finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
        service.terminate()
        with trace.open(errors="surrogateescape") as lines:
            followed = Order(ledger.spool).follow(parse(lines))
        finding.add(followed.faults)
        finding.figures |= {"published": followed.published, "dropped": followed.dropped}
        if not followed.published == followed.dropped == count:
            finding.fault(f"{count} files, {followed.published} published, {followed.dropped} claims dropped")
    trace.unlink()
    return {"4": finding}
