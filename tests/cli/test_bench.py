from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench import measure, plan
from edge_sr.bench.latency import WarmUp
from edge_sr.bench.schema import Report, read_report, write_report
from edge_sr.cli import bench as module
from edge_sr.cli.lazy_group import LazyGroup
from tests.bench.reports import REPORT, TIMES, VARIANT

Bench = Callable[..., Result]
TABLE = {"bench": ("edge_sr.cli.bench:bench", "Measure every variant.")}
QUICK = ("--minutes", "0.01", "--rounds", "1", "--cold-starts", "0", "--threads", "1", "--precision", "fp32")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Calls it inside tmp_path."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(measure, "STREAMED", 2)
    monkeypatch.setattr(measure, "warm_up", lambda call, **limits: WarmUp(0, 0.0, True))
    group = LazyGroup("edge-sr", table=TABLE, needs="", help="", epilog="")
    return lambda *words: CliRunner().invoke(group, ["bench", *map(str, words)])


def write(name: str, **changes: Any) -> Report:
    report = replace(REPORT, **changes)
    write_report(Path(name), report)
    return report


def test_a_run_is_told_and_written(bench: Bench, tiny: Bundle) -> None:
    result = bench(tiny.folder, "bicubic", *QUICK, "--out", "bench.json", "--html", "bench.html")
    assert result.exit_code == 0, result.output
    titles = [variant.title for variant in read_report(Path("bench.json")).variants]
    assert titles == ["tiny fp32", "bicubic"] and all(title in result.stdout for title in titles)
    assert all(title in Path("bench.html").read_text() for title in titles)
    assert "written: bench.json" in result.stderr


def test_the_document_may_come_on_stdout(bench: Bench) -> None:
    result = bench("bicubic", *QUICK, "--json")
    assert json.loads(result.stdout)["kind"] == "edge-sr bench"


def test_tables_in_a_file_are_not_on_stdout_too(bench: Bench) -> None:
    result = bench("bicubic", *QUICK, "--markdown", "bench.md")
    assert "bicubic" in Path("bench.md").read_text() and result.stdout == ""


def test_a_file_that_exists_is_left_alone_before_any_work(bench: Bench) -> None:
    Path("bench.json").write_text("mine")
    result = bench("bicubic", *QUICK, "--out", "bench.json")
    assert result.exit_code == 2 and "--overwrite" in result.stderr
    assert Path("bench.json").read_text() == "mine" and "warming up" not in result.stderr


def test_options_with_commas_multiply(bench: Bench, tiny: Bundle) -> None:
    result = bench(tiny.folder, *QUICK, "--steps", "1,2", "--size", "64,96x64", "--batch", "1", "--json")
    assert [(each["steps"], each["size"]) for each in json.loads(result.stdout)["variants"]] == [
        (1, [64, 64]),
        (2, [64, 64]),
        (1, [96, 64]),
        (2, [96, 64]),
    ]


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--size", "4"), "sides from 8"),
        (("--size", "8xx8"), "expected 64 or 320x240"),
        (("--precision", "fp32,int4"), "int4"),
        (("--threads", "0"), "0 is not in the range"),
        (("--max-regress", "p50=5%"), "--baseline"),
        (("--lpips", "here.onnx"), "--quality"),
        (("--roofline", "toaster"), "no such device"),
    ],
)
def test_what_cannot_be_is_refused(bench: Bench, words: tuple[str, ...], named: str) -> None:
    Path("here.onnx").touch()
    result = bench("bicubic", *words)
    assert result.exit_code == 2 and named in result.stderr and "warming up" not in result.stderr


def test_a_regression_exits_with_6_and_names_the_figure(bench: Bench) -> None:
    write("a.json")
    slower = replace(TIMES, p50_ms=6.0)
    write("b.json", variants=(replace(VARIANT, latency=slower, file_latency=slower),))
    assert bench("report", "a.json", "b.json", "--max-regress", "p50=30%").exit_code == 0
    result = bench("report", "a.json", "b.json", "--max-regress", "p50=5%")
    assert result.exit_code == 6 and "p50" in result.stderr and VARIANT.title in result.stderr


def test_a_baseline_from_elsewhere_is_refused_rather_than_compared(bench: Bench) -> None:
    assert bench("bicubic", *QUICK, "--out", "now.json").exit_code == 0
    report = read_report(Path("now.json"))
    machine = {**report.conditions.machine, "cpu_model": "Another processor"}
    write_report(Path("a.json"), replace(report, conditions=replace(report.conditions, machine=machine)))
    result = bench("bicubic", *QUICK, "--baseline", "a.json", "--max-regress", "p50=5%")
    assert result.exit_code == 2 and "unlike conditions" in result.stderr


def test_two_runs_are_told_against_each_other(bench: Bench) -> None:
    write("a.json")
    write("b.json", warnings=())
    result = bench("report", "a.json", "b.json", "--markdown", "both.md")
    assert result.exit_code == 0 and VARIANT.title in result.stdout and VARIANT.title in Path("both.md").read_text()


def test_one_run_is_told_again(bench: Bench) -> None:
    write("a.json")
    assert VARIANT.title in bench("report", "a.json").stdout
    assert bench("report", "a.json", "--html", "a.html").stdout == "" and "<svg" in Path("a.html").read_text()


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("a.json", "--max-regress", "p50=5%"), "needs a second run"),
        (("a.json", "a.json", "--html", "x.html"), "page of one run"),
        (("a.json", "a.json", "a.json"), "one or two"),
    ],
)
def test_a_report_of_the_wrong_number_of_runs_is_refused(bench: Bench, words: tuple[str, ...], named: str) -> None:
    write("a.json")
    result = bench("report", *words)
    assert result.exit_code == 2 and named in result.stderr


def test_a_file_that_is_no_report_is_named(bench: Bench) -> None:
    Path("a.json").write_text('{"kind": "something else"}')
    result = bench("report", "a.json")
    assert result.exit_code == 5 and "a.json: kind" in result.stderr


def test_quick_is_what_the_plan_says() -> None:
    found = {"minutes": plan.QUICK_MINUTES, "rounds": plan.QUICK_ROUNDS, "cold_starts": plan.QUICK_STARTS}
    assert found == module.QUICK
