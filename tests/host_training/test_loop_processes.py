"""Several processes train what one would: each computes its share of every batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from edge_sr.errors import EnvironmentFault, UsageError
from host_training.loop.processes import Processes
from tests.host_training.toy_training import schedule, trained

ROOT = Path(__file__).resolve().parents[2]
PLAN = {"steps": 20, "batch": 4, "checkpoint_every": 10, "log_every": 1}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which two processes have trained to step 10, each of whose two parts are of one sample."""
    pytest.importorskip("accelerate")
    folder = tmp_path_factory.mktemp("two")
    # --multi_gpu is what starts several processes; they find no GPU and join over gloo
    launch = ["accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
    launch += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", "0"]
    command = [sys.executable, "-m", *launch, "-m", "tests.host_training.toy_training"]
    command += ["--rival", "--until", "10", str(folder)]
    changes = [f"{name}={value}" for name, value in {**PLAN, "accumulate": 2}.items()]
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *changes], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same training by one process, which computes each batch whole."""
    folder = tmp_path_factory.mktemp("one")
    trained(folder, plan=schedule(**PLAN), until=10, rival=True)
    return folder


def report(folder: Path, rank: int) -> dict[str, object]:
    """What one of the two processes says; see toy_training."""
    return json.loads((folder / f"rank-{rank}.json").read_text())


def curve(folder: Path, name: str) -> list[float]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in lines if name in line]


def furthest(one: Path, other: Path, file: str = "weights") -> float:
    """The largest difference of two weights."""
    ours, theirs = (load_file(folder / f"{file}.safetensors") for folder in (one, other))
    assert ours.keys() == theirs.keys()
    return max(float((ours[name] - theirs[name]).abs().max()) for name in ours)


@pytest.mark.parametrize("name", ["loss", "gradient_norm", "mean"])
def test_two_processes_have_the_curve_of_one(one: Path, two: Path, name: str) -> None:
    assert len(curve(two, name)) == 10  # and not twenty: one of them writes
    assert curve(two, name) == pytest.approx(curve(one, name), abs=1e-4)


def test_two_processes_have_the_weights_of_one(one: Path, two: Path) -> None:
    assert furthest(one, two) < 1e-5


def test_two_processes_have_the_opponent_of_one(one: Path, two: Path) -> None:
    assert furthest(one, two, "opponent") < 1e-5
    assert curve(two, "opponent_loss") == pytest.approx(curve(one, "opponent_loss"), abs=1e-4)


def test_one_process_goes_on_where_two_stopped(one: Path, two: Path, tmp_path: Path) -> None:
    for folder in (one, two):
        (tmp_path / folder.name).mkdir()
        for path in folder.glob("checkpoints/*"):
            (tmp_path / folder.name / "checkpoints").mkdir()
            (tmp_path / folder.name / "checkpoints" / path.name).write_bytes(path.read_bytes())
        trained(tmp_path / folder.name, plan=schedule(**PLAN, accumulate=2 if folder is two else 1), rival=True)
    assert 0 < furthest(tmp_path / one.name, tmp_path / two.name) < 1e-5


def test_every_process_can_read_the_weights_at_the_end(two: Path) -> None:
    first, second = (report(two, rank) for rank in (0, 1))
    assert (first["rank"], second["rank"]) == (0, 1)
    assert first["weights"] == second["weights"]


def test_the_main_process_fills_a_cache_that_the_others_read(two: Path) -> None:
    assert [report(two, rank)["cache"] for rank in (0, 1)] == ["0", "0"]


def test_a_batch_that_two_processes_cannot_share_is_refused(two: Path) -> None:
    expected = "a batch of 3 has no 2 equal shares (processes: 2, accumulate: 1); expected a multiple of 2"
    assert all(str(report(two, rank)["refusal"]).startswith(expected) for rank in (0, 1))


@pytest.mark.parametrize(("count", "parts"), [(1, 1), (2, 1), (1, 4), (2, 3), (4, 3)])
def test_shares_are_even_and_cover_the_batch_once(count: int, parts: int) -> None:
    shares = [Processes(CPU, rank, count).share(24, part=p, parts=parts) for rank in range(count) for p in range(parts)]
    assert {len(share) for share in shares} == {24 // (count * parts)}
    assert sorted(sample for share in shares for sample in share) == list(range(24))


def test_the_first_of_all_shares_are_the_first_of_the_batch() -> None:
    first = [sample for rank in range(4) for sample in Processes(CPU, rank, 4).share(16)[:2]]
    assert sorted(first) == list(range(8))


@pytest.mark.parametrize(("count", "parts", "multiple", "batch"), [(1, 4, 4, 8), (3, 1, 3, 9), (2, 2, 4, 8)])
def test_an_uneven_batch_is_refused(count: int, parts: int, multiple: int, batch: int) -> None:
    with pytest.raises(UsageError, match=rf"expected a multiple of {multiple}\n  try: batch = {batch} in the schedule"):
        Processes(CPU, 0, count).share(7, parts=parts)


def test_accelerate_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setitem(sys.modules, "accelerate", None)
    with pytest.raises(EnvironmentFault, match="several processes need the package accelerate"):
        Processes.joined()


def test_one_process_needs_no_accelerate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "accelerate", None)
    assert trained(tmp_path, until=1).step == 1
