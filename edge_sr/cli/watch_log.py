"""``--latency-log`` of ``edge-sr watch``: the records of ``edge-sr run --log-file``, by job in place of names."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_sr.cli.run_log import MADE_WITH
from edge_sr.device.latency_log import LatencyLog
from edge_sr.device.power.find import find_meter
from edge_sr.device.power.recorder import Recorder
from edge_sr.service import tally
from edge_sr.service.job import OfferEnd
from edge_sr.service.log import EventLog
from edge_sr.timing import PHASES


@contextmanager
def latency_log(path: Path, log: EventLog) -> Iterator[Callable[[OfferEnd], None]]:
    """What tells the latency log of a job's end; log: told at the end why there was no power, or why it ended early."""
    with Recorder(find_meter().meter) as recorder:
        with LatencyLog(path, recorder) as records:
            recorder.measure_idle()

            def told(end: OfferEnd) -> None:
                if end.result in (tally.DONE, tally.QUARANTINED):
                    records.picture(record(end), start_s=end.began_s, end_s=end.began_s + end.total_ms / 1e3)

            yield told
        if recorder.meter is None:
            log.note("no power meter here, so the latency log has times alone; edge-sr power tells what was looked for")
        for fault in filter(None, (recorder.sampler.trouble(), records.fault)):
            log.note(fault)


def record(end: OfferEnd) -> dict[str, object]:
    """What a record says of one job, without power and conditions."""
    return {
        "job": end.job,
        "status": end.result,
        "reason": end.reason or None,
        "pixels": None if end.pixels is None else list(end.pixels),
        **{name: end.provenance.get(name) for name in MADE_WITH},
        "phases_ms": dict.fromkeys(PHASES) | {name: round(ms, 3) for name, ms in end.phases_ms.items()},
        "total_ms": round(end.total_ms, 3),
    }
