"""Figures for Prometheus: a text file that node_exporter's textfile collector reads, replaced by one rename."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from edge_sr.errors import EnvironmentFault
from edge_sr.service.tally import DONE, JobEnd

BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class MetricsFile:
    """EnvironmentFault where prometheus-client is missing, or the folder of ``path`` is."""

    def __init__(self, path: Path) -> None:
        try:
            import prometheus_client as prometheus
            import prometheus_client.core as families
        except ModuleNotFoundError as error:
            raise EnvironmentFault(
                "needs the package prometheus-client", where="--metrics-file", hint='pip install "edge-sr[service]"'
            ) from error
        if not path.parent.is_dir():
            raise EnvironmentFault("there is no such folder", where=path.parent, hint=f"mkdir -p {path.parent}")
        self.path, self._prometheus = path, prometheus
        self.registry = prometheus.CollectorRegistry()  # its own: the default one tells of the Python process
        ours: dict[str, Any] = {"registry": self.registry}
        timed: dict[str, Any] = {"buckets": BUCKETS_S, **ours}
        self._jobs = prometheus.Counter("edge_sr_jobs", "Jobs ended since the start", ["result", "reason"], **ours)
        self._phases = prometheus.Histogram("edge_sr_phase_seconds", "Of a result, its share", ["phase"], **timed)
        self._whole = prometheus.Histogram("edge_sr_job_seconds", "From the claim to the published result", **timed)
        self._gauges = _Gauges(families)
        self.registry.register(self._gauges)

    def add(self, end: JobEnd) -> None:
        self._jobs.labels(end.result, end.reason).inc()
        if end.result == DONE:
            self._whole.observe(end.total_ms / 1e3)
            for phase, ms in end.phases_ms.items():
                self._phases.labels(phase).observe(ms / 1e3)

    def write(self, document: Mapping[str, Any]) -> None:
        """document: of ``edge-sr status``, where the gauges come from. OSError where it cannot be written."""
        self._gauges.document = document
        content = self._prometheus.generate_latest(self.registry)
        part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")  # the collector reads *.prom alone
        try:
            part.write_bytes(content)
            part.replace(self.path)
        finally:
            with suppress(OSError):
                part.unlink()  # already gone after the rename


class _Gauges:
    """A collector of prometheus_client: the moment's figures; what is not known has no line."""

    def __init__(self, families: Any) -> None:
        self._families = families
        self.document: Mapping[str, Any] = {}

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterator[Any]:
        document = self.document
        if not document:
            return
        queue, disk, device = document["queue"], document["disk"], document["device"]
        yield from self._plain("ready", "Whether pictures are taken now", document["ready"])
        yield from self._plain("start_time_seconds", "When the service started", document["start_time"])
        yield from self._plain("last_done_timestamp_seconds", "When a result was last published", document["last_done"])
        yield from self._plain("queue_depth", "Files that wait in incoming", queue["waiting"])
        yield from self._plain("queue_oldest_seconds", "Age of the oldest of them", queue["oldest_s"])
        yield from self._plain("queue_ignored", "Entries of incoming that are never taken", queue["ignored"])
        yield from self._plain("retrying", "Claimed jobs that wait for another attempt", queue["retrying"])
        yield from self._plain("disk_free_bytes", "Space left for results", disk["free_bytes"])
        yield from self._plain("power_watts", "What the machine takes", device["power_w"])
        if device["throttling"] is not None:
            yield from self._plain("throttled", "Whether clocks are held down", bool(device["throttling"]))
        yield from self._temperatures(device["temperatures_c"])
        yield from self._build_info(document)

    def _plain(self, name: str, told: str, value: float | None) -> Iterator[Any]:
        if value is not None:
            yield self._families.GaugeMetricFamily(f"edge_sr_{name}", told, value=float(value))

    def _temperatures(self, degrees: Mapping[str, float]) -> Iterator[Any]:
        family = self._families.GaugeMetricFamily("edge_sr_temperature_celsius", "By sensor", labels=["sensor"])
        for sensor, value in degrees.items():
            family.add_metric([sensor], value)
        if degrees:
            yield family

    def _build_info(self, document: Mapping[str, Any]) -> Iterator[Any]:
        made_with = {name: str(document["work"].get(name) or "") for name in ("model", "backend", "precision")}
        family = self._families.InfoMetricFamily("edge_sr_build", "What runs here")
        family.add_metric([], {"version": document["version"], **made_with})
        yield family
