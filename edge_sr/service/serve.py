"""The service put together: folders, stages, loop, and what tells of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from edge_sr.service.arrivals import Arrivals
from edge_sr.service.claims import Ends
from edge_sr.service.feed import Feed
from edge_sr.service.hints import Hints
from edge_sr.service.job import OfferEnd
from edge_sr.service.journal import Journal
from edge_sr.service.log import EventLog
from edge_sr.service.loop import Loop, Settings
from edge_sr.service.metrics import MetricsFile
from edge_sr.service.notify import Notifier
from edge_sr.service.outcomes import Outcomes
from edge_sr.service.recovery import recover
from edge_sr.service.report import Report
from edge_sr.service.retention import prune_done
from edge_sr.service.retries import DiskSpace, Retries
from edge_sr.service.self_test import self_test
from edge_sr.service.signals import StopSignals
from edge_sr.service.spool import Spool
from edge_sr.service.stages import STALLED_S, Stages
from edge_sr.service.status import SOCKET_NAME, StatusSocket
from edge_sr.service.steps import Steps
from edge_sr.service.vitals import Vitals
from edge_sr.service.work import Decoder, OpenWork


def serve(
    path: Path,
    open_work: OpenWork,
    decoder: Decoder,
    *,
    ends: Ends,
    most_bytes: int,
    settings: Settings,
    notifier: Notifier,
    log: EventLog,
    incomplete_after_s: float = 60.0,
    stalled_s: float = STALLED_S,
    keep_done_days: float | None = None,
    metrics: MetricsFile | None = None,
    on_end: Sequence[Callable[[OfferEnd], None]] = (),
    environ: Mapping[str, str] = os.environ,
    leave: Callable[[int], object] = os._exit,
) -> int:
    """Serve the spool at ``path`` until a signal, or with ``settings.once`` until nothing is left; the exit code.

    The decoder's processes belong to the caller, who started them. leave: ends the process where a stage did not end in
    time, since its thread may be deep in a library that cannot be taken down around it.

    AnotherInstance where the spool is served already, EnvironmentFault where it cannot be, DeviceLost where only a new
    process can go on, and what opening the work raises.
    """
    with ExitStack() as stack:
        signals = stack.enter_context(StopSignals())
        spool = stack.enter_context(Spool.open(path, make=True))
        spool.lock()
        recovery = recover(spool)
        log.info(
            "started",
            recovered=len(recovery.claims),
            finished=len(recovery.finished),
            quarantined=len(recovery.quarantined),
            removed=recovery.removed,
            foreign=recovery.foreign,
        )
        journal = Journal(spool)
        outcomes = Outcomes(spool, journal, log)
        steps = Steps(spool, decoder, outcomes, ends=ends, most_bytes=most_bytes)
        stages = Stages(steps, outcomes, open_work, partial(self_test, decoder=decoder), stalled_s=stalled_s)
        arrivals = Arrivals(spool.incoming, ends=ends, incomplete_after_s=incomplete_after_s)
        feed = Feed(arrivals, Retries(), DiskSpace(spool), recovery.claims)
        for held, published in recovery.finished:
            journal.append(job=held.job, name=held.name, outcome="published", output=published.picture)
            log.info("done", job=held.job, reason="recovered")
        vitals = stack.enter_context(Vitals())
        report = Report(str(path.resolve()), feed, lambda: vitals.now.to_json())
        status = stack.enter_context(StatusSocket(socket_path(path, environ), report.document))
        loop = Loop(
            feed,
            stages,
            outcomes,
            stack.enter_context(Hints(spool.incoming)),
            report,
            settings=settings,
            notifier=notifier,
            status=status,
            log=log,
            metrics=metrics,
            prune=None if keep_done_days is None else partial(prune_done, spool, keep_days=keep_done_days),
            on_end=[*on_end, *([] if metrics is None else [metrics.add])],
        )
        try:
            code = loop.run(signals)
        finally:
            if loop.left_behind:
                stack.pop_all()  # a thread is still at work in these folders; they go with the process
        if loop.left_behind:
            leave(code)
        return code


def socket_path(spool: Path, environ: Mapping[str, str]) -> Path:
    """Where systemd gives a runtime folder there, so that other users may ask; else in the spool's state."""
    folder = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return (Path(folder) if folder else spool / "state") / SOCKET_NAME
