"""The text file for Prometheus: what stands in it, what is left out, and how it is replaced."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from edge_sr.errors import EnvironmentFault
from edge_sr.service.metrics import MetricsFile
from edge_sr.service.tally import DONE, QUARANTINED, JobEnd


def document(**device: object) -> dict[str, object]:
    nothing = {"temperatures_c": {}, "power_w": None, "throttling": None}
    return {
        "version": "1.2.3",
        "ready": True,
        "start_time": 1.0,
        "last_done": None,
        "work": {"model": "tiny 1", "precision": "int8", "backend": "onnxruntime 1"},
        "queue": {"waiting": 3, "oldest_s": 1.5, "ignored": 0, "retrying": 1},
        "disk": {"free_bytes": 1024},
        "device": {**nothing, **device},
    }


@pytest.fixture
def metrics(tmp_path: Path) -> MetricsFile:
    pytest.importorskip("prometheus_client", reason="it writes the file")
    return MetricsFile(tmp_path / "edge-sr.prom")


def lines(metrics: MetricsFile) -> set[str]:
    return set(metrics.path.read_text().splitlines())


def test_jobs_by_result_and_reason_and_the_phases_of_results(metrics: MetricsFile) -> None:
    metrics.add(JobEnd("a", DONE, phases_ms={"decode": 4.0, "compute": 30.0}, total_ms=40.0))
    metrics.add(JobEnd("b", QUARANTINED, "refused", phases_ms={"decode": 4.0}))
    metrics.write(document())
    assert lines(metrics) >= {
        'edge_sr_jobs_total{reason="",result="done"} 1.0',
        'edge_sr_jobs_total{reason="refused",result="quarantined"} 1.0',
        'edge_sr_phase_seconds_bucket{le="0.0025",phase="decode"} 0.0',
        'edge_sr_phase_seconds_bucket{le="0.005",phase="decode"} 1.0',
        "edge_sr_job_seconds_count 1.0",
    }


def test_the_moments_figures(metrics: MetricsFile) -> None:
    metrics.write(document(temperatures_c={"cpu": 50.5}, power_w=7.0, throttling=["gpu"]))
    assert lines(metrics) >= {
        "edge_sr_ready 1.0",
        "edge_sr_queue_depth 3.0",
        "edge_sr_queue_oldest_seconds 1.5",
        "edge_sr_disk_free_bytes 1024.0",
        'edge_sr_temperature_celsius{sensor="cpu"} 50.5',
        "edge_sr_power_watts 7.0",
        "edge_sr_throttled 1.0",
        'edge_sr_build_info{backend="onnxruntime 1",model="tiny 1",precision="int8",version="1.2.3"} 1.0',
    }


def test_what_is_not_known_has_no_line(metrics: MetricsFile) -> None:
    metrics.write(document())
    text = metrics.path.read_text()
    assert not any(name in text for name in ("power", "temperature", "throttled", "last_done", "python_info"))


def test_it_is_replaced_whole_and_nothing_is_left_beside_it(metrics: MetricsFile) -> None:
    for _ in range(2):
        metrics.write(document())
    assert [path.name for path in metrics.path.parent.iterdir()] == ["edge-sr.prom"]


def test_the_package_is_asked_for_by_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(EnvironmentFault, match=r"edge-sr\[service\]"):
        MetricsFile(tmp_path / "edge-sr.prom")


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    pytest.importorskip("prometheus_client", reason="it writes the file")
    with pytest.raises(EnvironmentFault, match="no such folder"):
        MetricsFile(tmp_path / "nowhere" / "edge-sr.prom")
