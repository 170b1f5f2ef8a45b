from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench.variants import Choice
from edge_sr.cli.run import run
from edge_sr.errors import EnvironmentFault, UsageError
from tests.bench.conftest import Opened


def test_every_combination_is_a_variant(tiny: Bundle, opened: Opened) -> None:
    subjects = opened(tiny.folder, "bicubic", steps=(1, 2), threads=(1, 2), sizes=(None, (96, 64)))
    assert len(subjects) == 2 * 2 * 2 + 2
    assert len({subject.key for subject in subjects}) == len({subject.title for subject in subjects}) == 10
    name = tiny.manifest.name
    assert subjects[0].key == f"{name}-ddim-1-fp32-onnxruntime-t1-64x64"
    assert "bicubic-96x64" in {subject.key for subject in subjects}


def test_a_title_names_what_differs_and_nothing_else(tiny: Bundle, opened: Opened) -> None:
    titles = [subject.title for subject in opened(tiny.folder, "bicubic", steps=(1, 2))]
    assert titles == [f"{tiny.manifest.name} fp32 1 step", f"{tiny.manifest.name} fp32 2 steps", "bicubic"]


def test_a_missing_engine_leaves_the_variant_out_and_names_the_command(
    tiny: Bundle, opened: Opened, warned: list[str]
) -> None:
    subjects = opened(tiny.folder, precisions=("fp32", "int8"))
    assert [subject.precision for subject in subjects] == ["fp32"]
    (line,) = warned
    assert line.startswith("tiny int8 1 thread is left out: ") and "edge-sr build" in line and "int8" in line


def test_what_comes_to_the_same_is_one_variant(tiny: Bundle, opened: Opened) -> None:
    subjects = opened(tiny.folder, precisions=("fp32", "auto"), steps=(None, 1))
    assert len(subjects) == 1


def test_a_model_that_does_not_exist_ends_it(opened: Opened, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such model"):
        opened("bicubic", tmp_path / "none")


def test_nothing_left_is_a_fault(tiny: Bundle, opened: Opened) -> None:
    with pytest.raises(EnvironmentFault, match="no variant"):
        opened(tiny.folder, precisions=("int8",))


def test_steps_of_a_model_without_are_left_out(generator: Bundle, opened: Opened, warned: list[str]) -> None:
    assert [subject.sampler for subject in opened(generator.folder, steps=(None, 4))] == [None]
    assert "neither sampler nor steps" in warned[0]


def test_a_variant_is_told_as_edge_sr_run_is_asked_for_it() -> None:
    options = Choice("default", "int8", "onnxruntime", 2, 1, (64, 64), "ddim").run_options
    parsed = run.make_context("run", ["chest.png", *options]).params
    assert (parsed["model"], parsed["precision"], parsed["backend"]) == ("default", "int8", "onnxruntime")
    assert (parsed["steps"], parsed["threads"], parsed["sampler"]) == (2, 1, "ddim")
    assert Choice("bicubic", threads=2).run_options == ["--model", "bicubic"]
