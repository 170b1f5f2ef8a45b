"""``--log-file``: one structured record a picture, with the power that it took where a meter tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from edge_sr.cli.run_report import Outcome
from edge_sr.timing import PHASES

LogPicture = Callable[[Outcome, float, float], None]  # what became of it; start and end in time.perf_counter seconds
# Of the provenance: what a time or an energy cannot be compared without.
MADE_WITH = ("model", "model_sha256", "backend", "precision", "engine", "sampler", "steps", "samples", "input_sha256")


@contextmanager
def run_log(path: Path | None, *, note: Callable[[str], None]) -> Iterator[LogPicture]:
    """What tells the log of a picture; without a path it does nothing.

    note: told once each, at the end, why there was no power and why the log ended early.
    """
    if path is None:
        yield lambda outcome, start_s, end_s: None
        return
    from edge_sr.device.latency_log import LatencyLog
    from edge_sr.device.power.find import find_meter
    from edge_sr.device.power.recorder import Recorder

    with Recorder(find_meter().meter) as recorder:
        with LatencyLog(path, recorder) as log:
            recorder.measure_idle()
            yield lambda outcome, start_s, end_s: log.picture(
                record(outcome, (end_s - start_s) * 1e3), start_s=start_s, end_s=end_s
            )
        if recorder.meter is None:
            note("no power meter here, so the log has times alone; edge-sr power tells what was looked for")
        for fault in filter(None, (recorder.sampler.trouble(), log.fault)):
            note(fault)


def record(outcome: Outcome, total_ms: float) -> dict[str, object]:
    """What a record says of one input, without power and conditions."""
    result = outcome.result
    provenance = {} if result is None else result.provenance
    return {
        "input": str(outcome.source),
        "status": outcome.status,
        "error": None if outcome.error is None else str(outcome.error),
        "pixels": None if result is None else [result.pixels.shape[1], result.pixels.shape[0]],
        **{name: provenance.get(name) for name in MADE_WITH},
        "phases_ms": dict.fromkeys(PHASES) | {name: round(ms, 3) for name, ms in outcome.phases.ms.items()},
        "total_ms": round(total_ms, 3),
    }
