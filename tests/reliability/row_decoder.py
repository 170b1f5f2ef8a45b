"""The decoder's processes are killed, as a system short of memory does it: the pictures are decoded again."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import numpy as np

from tests.reliability.finding import Finding
from tests.reliability.pictures import chosen
from tests.reliability.rig import Rig

EACH_KILL = 10  # files that arrive before it
STUCK_S = 60.0  # longer than the third wait of a job


def decoder(rig: Rig, count: int, *, seed: int = 17) -> dict[str, Finding]:
    """count: kills, of the process that starts the decoders or of one of these."""
    finding, draw, reference = Finding(), np.random.default_rng(seed), rig.reference()
    with rig.spool() as ledger, rig.service(ledger.spool) as service:
        service.start()
        for _ in range(count):
            for _ in range(EACH_KILL):
                number = len(ledger.given)
                suffix, content = chosen(rig.contents, number)
                ledger.give(f"z{number:05d}{suffix}", content)
            time.sleep(draw.uniform(0.02, 0.2))
            below = service.processes()[1:]
            if below:
                with suppress(ProcessLookupError):
                    os.kill(below[int(draw.integers(len(below)))], signal.SIGKILL)
                    finding.count += 1
        if not ledger.settled(STUCK_S):
            finding.fault(f"nothing moves any more; {ledger.waiting()} files wait")
        if not service.running:
            finding.fault(f"the service ended: {service.log_end()}")
        else:
            service.terminate()
        again = [event for event in service.events() if event.get("event") == "later"]
        finding.figures |= {"files": len(ledger.given), "tried_again": len(again)}
        finding.add(f"bug at {event['at']}" for event in service.events() if event["event"] == "bug")
        finding.add(ledger.faults(reference))
    if not finding.count:
        finding.fault("no process of the decoder was there to be killed")
    return {"decoder": finding}
