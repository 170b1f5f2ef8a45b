"""The last few checkpoints and the best weights are kept, whole; a damaged one is told, not read."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from host_training.loop import read_checkpoint, write_tensors
from host_training.loop.checkpoints import Checkpoints, fingerprint
from tests.host_training.toy_training import schedule, trained


def steps(folder: Path) -> list[int]:
    return [int(path.stem.removeprefix("step-")) for path in Checkpoints(folder / "checkpoints", keep=1).paths()]


@pytest.mark.parametrize(("keep", "kept"), [(1, [12]), (3, [9, 11, 12]), (9, [3, 6, 9, 11, 12])])
def test_the_last_few_are_kept(tmp_path: Path, keep: int, kept: list[int]) -> None:
    plan = schedule(steps=12, keep=keep)
    trained(tmp_path, plan=plan, until=11)
    trained(tmp_path, plan=plan)
    assert steps(tmp_path) == kept


def test_a_million_comes_after_the_steps_before_it(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=2)
    for step in (999_999, 1_000_000, 1_000_001):
        checkpoints.write(step, {}, {})
    assert [path.stem for path in checkpoints.paths()] == ["step-1000000", "step-1000001"]


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def one_byte_changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut_short, emptied, one_byte_changed])
def test_a_damaged_checkpoint_names_the_one_before(tmp_path: Path, damage: object) -> None:
    unbroken = trained(tmp_path / "unbroken")
    trained(tmp_path / "broken", until=6)
    newest = tmp_path / "broken" / "checkpoints" / "step-000006.safetensors"
    damage(newest)  # type: ignore[operator]
    with pytest.raises(IntegrityError, match=r"step-000006\.safetensors: this checkpoint is damaged") as told:
        trained(tmp_path / "broken")
    hint = re.search(r"try: (rm \S+)  \(to go on from step-000003\.safetensors, the one before it\)$", str(told.value))
    assert hint
    subprocess.run(hint[1].split(), check=True)
    resumed = trained(tmp_path / "broken").average
    assert all(torch.equal(resumed[name], value) for name, value in unbroken.average.items())


def test_a_damaged_checkpoint_without_another_says_that_it_is_the_only_one(tmp_path: Path) -> None:
    trained(tmp_path, until=3)
    cut_short(tmp_path / "checkpoints" / "step-000003.safetensors")
    with pytest.raises(IntegrityError, match=r"try: rm \S+  \(to start again\)"):
        trained(tmp_path)


def test_a_half_written_file_is_no_checkpoint(tmp_path: Path) -> None:
    trained(tmp_path, until=3)
    (tmp_path / "checkpoints" / ".step-000006.safetensors.part").write_bytes(b"half a file")
    assert trained(tmp_path).finished
    assert not list((tmp_path / "checkpoints").glob(".*"))


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """As on a disk that is full; the signal that comes with it is one Python ignores."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on file sizes is Linux's")
def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_tensors(path, {"x": torch.zeros(4)})
    before = path.read_bytes()
    with no_file_larger_than(10_000), pytest.raises(EnvironmentFault, match=r"w\.safetensors: cannot be written"):
        write_tensors(path, {"x": torch.zeros(100_000)})
    assert path.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == [path.name]


def test_a_fingerprint_is_of_names_types_shapes_and_values() -> None:
    tensors = [
        {"a": torch.zeros(2, 3)},
        {"b": torch.zeros(2, 3)},
        {"a": torch.zeros(3, 2)},
        {"a": torch.zeros(2, 3, dtype=torch.int32)},
        {"a": torch.ones(2, 3)},
    ]
    assert len({fingerprint(each) for each in tensors}) == len(tensors)
    last = torch.rand(1, 2, 3, 4)
    assert fingerprint({"a": last}) == fingerprint({"a": last.to(memory_format=torch.channels_last)})


SCORES = {3: 1.0, 6: 3.0, 8: 9.0, 9: 0.5, 12: 3.0}


@pytest.mark.parametrize(("best_is", "step"), [("highest", 6), ("lowest", 9)])
def test_the_best_weights_are_those_of_the_best_validation(tmp_path: Path, best_is: str, step: int) -> None:
    plan = schedule(steps=12, best="score", best_is=best_is)
    stopped = trained(tmp_path / "stopped", plan=plan, scores=SCORES, until=step).average
    trained(tmp_path / "whole", plan=plan, scores=SCORES)
    metadata, weights = read_checkpoint(tmp_path / "whole" / "best.safetensors")
    assert metadata == {"step": str(step), "figure": "score", "value": f"{SCORES[step]:g}"}
    assert weights.keys() == stopped.keys() and all(torch.equal(weights[name], stopped[name]) for name in weights)


def test_a_training_stopped_by_hand_chooses_as_the_unbroken_one(tmp_path: Path) -> None:
    plan = schedule(steps=12, best="score")
    for until in (8, None):
        trained(tmp_path, plan=plan, scores=SCORES, until=until)
    assert read_checkpoint(tmp_path / "best.safetensors")[0]["step"] == "6"


def test_best_weights_that_a_kill_prevented_are_made_up_for(tmp_path: Path) -> None:
    plan = schedule(steps=12, best="score")
    trained(tmp_path, plan=plan, scores=SCORES, until=6)
    (tmp_path / "best.safetensors").unlink()
    trained(tmp_path, plan=plan, scores=SCORES)
    assert read_checkpoint(tmp_path / "best.safetensors")[0]["step"] == "6"


def test_a_figure_that_validation_does_not_have_is_told_and_can_be_put_right(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="best: validation has no 'psnr'; expected weight, score"):
        trained(tmp_path, plan=schedule(best="psnr"), scores=SCORES)
    assert steps(tmp_path) == [3]
    assert trained(tmp_path, plan=schedule(best="score"), scores=SCORES).finished
