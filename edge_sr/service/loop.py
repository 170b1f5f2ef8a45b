"""The loop: what arrives, what is offered to the stages, what became of it, who asks, and whether it is time to end."""

from __future__ import annotations

import math
import select
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from edge_sr.errors import EnvironmentFault
from edge_sr.service import tally
from edge_sr.service.feed import Feed
from edge_sr.service.job import GONE, NO_SPACE, STILL_WRITTEN, UNCLAIMED, OfferEnd
from edge_sr.service.log import EventLog
from edge_sr.service.metrics import MetricsFile
from edge_sr.service.notify import Notifier
from edge_sr.service.outcomes import Outcomes
from edge_sr.service.report import Report
from edge_sr.service.signals import StopSignals
from edge_sr.service.stages import AllEnded, Fatal, Opened, Stages
from edge_sr.service.status import StatusSocket

BEAT_S = 5.0  # status line and, while the model loads, a sign that it still does
LOADING_EXTENDS_S = 30.0
METRICS_S = 15.0
DISK_S = 0.25  # a turn; statvfs itself is asked every 2 s at most
PRUNE_S, PRUNE_MORE_S = 3600.0, 5.0
MOST_SCANNING = 0.05  # of the loop's time: of 20,000 files a look takes 0.1 s
_NO_JOBS = (GONE, UNCLAIMED, NO_SPACE, STILL_WRITTEN)


class HintSource(Protocol):
    """See ``edge_sr.service.hints``."""

    overflowed: bool

    def fileno(self) -> int: ...

    def names(self) -> list[str]: ...


@dataclass(frozen=True)
class Settings:
    """scan_interval_s: between two looks at incoming. once: end when nothing is left.

    stop_limit_s: what is in the stages may take so long to end; after that it stays claimed for the next start.
    """

    scan_interval_s: float = 1.0
    once: bool = False
    stop_limit_s: float = 20.0


class Loop:
    """One run of the service; ``run`` returns the exit code, or raises what the process cannot go on with.

    prune: removes old files from done, called now and then. on_end: told of every job's end.
    ``left_behind``: a stage did not end within the limit, so its thread is still at work.
    """

    def __init__(
        self,
        feed: Feed,
        stages: Stages,
        outcomes: Outcomes,
        hints: HintSource,
        report: Report,
        *,
        settings: Settings,
        notifier: Notifier,
        status: StatusSocket,
        log: EventLog,
        metrics: MetricsFile | None = None,
        prune: Callable[[], int] | None = None,
        on_end: Sequence[Callable[[OfferEnd], None]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed, self._stages, self._outcomes, self._hints, self._report = feed, stages, outcomes, hints, report
        self._settings, self._notifier, self._status, self._log = settings, notifier, status, log
        self._metrics, self._prune, self._on_end, self._clock = metrics, prune, on_end, clock
        self._opened = self._over = self._all_ended = self._metrics_failing = False
        self._scans = 0
        self._fatal: BaseException | None = None
        self._gave_up = ""
        self._stop_by_s = math.inf  # finite: stopping
        beat_s = BEAT_S if notifier.watchdog_s is None else min(BEAT_S, notifier.watchdog_s / 3)
        self._timers = [_Timer(self._scan, settings.scan_interval_s, MOST_SCANNING), _Timer(self._beat, beat_s)]
        if metrics is not None:
            self._timers.append(_Timer(self._write_metrics, METRICS_S))
        if prune is not None:
            self._timers.append(_Timer(self._prune_done, PRUNE_S))
        self.left_behind = False

    def run(self, signals: StopSignals) -> int:
        poller = select.poll()
        for source in (signals, self._stages, self._status, self._hints):
            if source.fileno() >= 0:
                poller.register(source.fileno(), select.POLLIN)
        self._beat()  # systemd hears of a start that may take long before the model begins to load
        self._stages.start()
        while not self._over:
            poller.poll(self._pause_ms())
            self._turn(signals)
        self._end()
        if self._fatal is not None:
            raise self._fatal
        if self._gave_up:
            what = "a fault of the machine ended the work"
            raise EnvironmentFault(what, where=self._gave_up, hint="edge-sr doctor, then the same again")
        failed = self._report.tally.total(tally.QUARANTINED) or self._feed.unclaimed
        return 1 if self._settings.once and failed else 0

    def _turn(self, signals: StopSignals) -> None:
        signals.drain()
        if signals.asked is not None:
            self._begin_stop(signals.asked.name)
        for name in self._hints.names():
            self._feed.hint(name)
        if self._hints.overflowed:
            self._hints.overflowed = False
            self._timers[0].due_s = 0.0
        for event in self._stages.events():
            self._take_event(event)
        now_s = self._clock()
        for timer in self._timers:
            timer.ring(now_s)
        self._offer()
        self._judge()
        self._status.answer()
        self._over = (self._stopping and self._all_ended) or now_s > self._stop_by_s

    def _pause_ms(self) -> int:
        """To the next timer; not longer than a retry or a look at a full disk may wait."""
        now_s = self._clock()
        until_s = [timer.due_s - now_s for timer in self._timers]
        if self._feed.disk_full:
            until_s.append(DISK_S)
        elif self._may_offer and (retry_s := self._feed.next_retry_s) is not None:
            until_s.append(retry_s)
        if self._stopping:
            until_s.append(self._stop_by_s - now_s)
        return math.ceil(max(0.0, min(until_s)) * 1e3)

    @property
    def _stopping(self) -> bool:
        return self._stop_by_s < math.inf

    @property
    def _may_offer(self) -> bool:
        return self._opened and not self._stopping and self._stages.may_offer

    def _offer(self) -> None:
        while self._may_offer and (offer := self._feed.next()) is not None:
            self._stages.offer(offer)

    def _scan(self) -> None:
        if self._opened and not self._stopping:
            self._scans += 1
            self._feed.scan()

    def _take_event(self, event: object) -> None:
        if isinstance(event, Opened) and not self._stopping:
            self._begin_work(event.work.description)
        elif isinstance(event, Fatal):
            self._fatal = self._fatal or event.error
            self._begin_stop("fault")
        elif isinstance(event, AllEnded):
            self._all_ended = True
        elif isinstance(event, OfferEnd):
            self._take_end(event)

    def _begin_work(self, description: Mapping[str, object]) -> None:
        self._opened = True
        self._report.work = description
        self._report.reason = self._reason(None)
        self._timers[0].due_s = 0.0
        self._log.info("ready", **_made_with(description))
        self._notifier.ready(self._report.line())

    def _take_end(self, end: OfferEnd) -> None:
        self._feed.ended(end)
        if end.result not in _NO_JOBS:
            self._report.tally.add(end, time.time())
            level = self._log.info if end.result in (tally.DONE, tally.PUT_BACK) else self._log.warning
            level(end.result, job=end.job, reason=end.reason or None, total_ms=round(end.total_ms, 1))
            for told in self._on_end:
                told(end)
        if self._settings.once and end.result in (tally.LATER, NO_SPACE):
            self._gave_up = "disk-full" if end.result == NO_SPACE else end.reason
            self._begin_stop("once")

    def _judge(self) -> None:
        """Whether the service is ready, and if not, why; and with --once whether it has come to its end."""
        self._report.stalled = stalled = self._stages.stalled()
        before = self._report.reason
        self._report.reason = reason = self._reason(stalled)
        if reason != before and not self._stopping:
            if reason:
                self._log.warning("not-ready", reason=reason, stage=stalled)
            elif before != "loading":
                self._log.info("ready-again")
            if self._opened:
                self._notifier.status(self._report.line())
        done = self._settings.once and self._opened and self._scans >= 2 and self._feed.empty
        if done and not self._stopping:
            self._begin_stop("once")

    def _reason(self, stalled: str | None) -> str:
        if stalled is not None:
            return "stalled"
        if self._stopping:
            return "stopping"
        if not self._opened:
            return "loading"
        return "disk-full" if self._feed.disk_full else self._feed.trouble

    def _beat(self) -> None:
        """A sign of life is given by this loop alone, and only while no stage hangs."""
        if self._stages.stalled() is None:
            self._notifier.watchdog()
            if not self._opened and not self._stopping:
                self._notifier.extend_timeout(LOADING_EXTENDS_S)
        if self._opened and not self._stopping:
            self._notifier.status(self._report.line())

    def _write_metrics(self) -> None:
        assert self._metrics is not None
        try:
            self._metrics.write(self._report.document())
        except OSError:
            if not self._metrics_failing:
                self._log.warning("metrics-file-unwritable")
            self._metrics_failing = True
        else:
            self._metrics_failing = False

    def _prune_done(self) -> None:
        assert self._prune is not None
        try:
            removed = self._prune()
        except EnvironmentFault:
            self._log.warning("prune-failed")
            return
        if removed:
            self._log.info("pruned", files=removed)
            self._timers[-1].due_s = self._clock() + PRUNE_MORE_S  # it removes no more than some at a time

    def _begin_stop(self, why: str) -> None:
        if self._stopping:
            return
        self._stop_by_s = self._clock() + self._settings.stop_limit_s
        self._log.info("stopping", why=why)
        self._notifier.stopping(f"stopping; {self._feed.in_flight} in the stages")
        self._stages.stop()

    def _end(self) -> None:
        self.left_behind = not self._stages.join(max(0.1, self._stop_by_s - self._clock()))
        for event in self._stages.events():
            self._take_event(event)
        for held in self._feed.drain():
            self._outcomes.put_back(held)
        if self._metrics is not None:
            self._write_metrics()
        self._log.info("stopped", left_behind=self.left_behind, done=self._report.tally.total(tally.DONE))


class _Timer:
    """Rings at once, and then every so often.

    most_share: of the loop's time that the action may take; where it takes long, it comes less often.
    """

    def __init__(self, action: Callable[[], None], every_s: float, most_share: float = 1.0) -> None:
        self._action, self._every_s, self._most_share = action, every_s, most_share
        self.due_s = 0.0

    def ring(self, now_s: float) -> None:
        if now_s >= self.due_s:
            self.due_s = now_s + self._every_s
            start_s = time.monotonic()
            self._action()
            took_s = time.monotonic() - start_s
            self.due_s = max(self.due_s, now_s + took_s / self._most_share)


def _made_with(description: Mapping[str, object]) -> dict[str, str]:
    """What the log says of the model: "cxr-x4-edge-1.0.0", "fp32", "onnxruntime-1.31.1"."""
    names = ("model", "precision", "backend")
    return {name: str(description[name]).replace(" ", "-") for name in names if description.get(name)}
