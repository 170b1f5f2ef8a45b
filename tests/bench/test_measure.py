from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench import measure
from edge_sr.bench.measure import gather, measure_latency, measure_throughput, settle
from edge_sr.bench.plan import Lengths
from edge_sr.timing import PHASES
from tests.bench.conftest import Opened

NO_TIME = Lengths.of(0.0)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "STREAMED", 3)


def test_both_ways_are_timed_with_their_phases(tiny: Bundle, opened: Opened, tmp_path: Path) -> None:
    (subject,) = opened(tiny.folder)
    gathered = gather(subject, tmp_path)
    settle(gathered, limit_s=0.01)
    measure_latency([gathered], seconds=0, rounds=2)
    assert len(gathered.array.taken_ms) == len(gathered.file.taken_ms) == 6
    assert gathered.first_call_ms > 0 and gathered.warm.calls > 0
    assert set(gathered.array.phases[0]) == {"prepare", "queue", "compute", "finish"} & set(gathered.array.phases[0])
    assert {"decode", "compute", "encode", "write"} <= set(gathered.file.phases[0]) <= set(PHASES)


def test_the_time_outside_the_session_is_what_the_model_does_not_take(
    tiny: Bundle, opened: Opened, tmp_path: Path
) -> None:
    gathered = gather(opened(tiny.folder)[0], tmp_path)
    gathered.file.taken_ms = [10.0, 12.0, 90.0]
    gathered.file.phases = [{"decode": 1.0, "queue": 1.0, "compute": 6.0}, {"compute": 7.0}, {"compute": 10.0}]
    assert gathered.outside_session_ms == 5.0


def test_throughput_is_that_of_every_batch_and_of_a_stream(tiny: Bundle, opened: Opened, tmp_path: Path) -> None:
    subjects = {subject.key: subject for subject in opened(tiny.folder, "bicubic")}
    gathered = {key: gather(subject, tmp_path) for key, subject in subjects.items()}
    measure_throughput(subjects, gathered, batches=(1, 3), lengths=NO_TIME, rounds=1)
    network, bicubic = gathered.values()
    for each in (network, bicubic):
        assert [point.batch for point in each.throughput] == [1, 3]
        assert each.throughput[1].pictures_per_s == pytest.approx(3e3 / each.throughput[1].p50_ms, rel=0.01)
    assert network.stream_pictures_per_s is not None and bicubic.stream_pictures_per_s is None


def test_a_picture_that_is_cut_into_tiles_has_no_batches(tiny: Bundle, opened: Opened, tmp_path: Path) -> None:
    (subject,) = opened(tiny.folder, sizes=((96, 64),))
    gathered = gather(subject, tmp_path)
    measure_throughput({subject.key: subject}, {subject.key: gathered}, batches=(1,), lengths=NO_TIME, rounds=1)
    assert gathered.throughput == [] and gathered.stream_pictures_per_s is None
