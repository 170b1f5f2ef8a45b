"""The contest with stand-ins for the slow peers; no test asserts a time."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("onnx", reason="multiply-accumulates are counted in ONNX graphs")
pytest.importorskip("onnxruntime", reason="ours runs in ONNX Runtime")
pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks import bench
from benchmarks.peers.base import Surroundings
from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench.schema import parse_report
from edge_sr.errors import EnvironmentFault, UsageError


class StandIn:
    """A peer that repeats pixels. opens, lasts: whether it fails, and after how many calls."""

    about, random_weights, backend, steps = "repeats pixels", True, "numpy", None
    parameters: int | None = 7
    macs: int | None = 11

    def __init__(self, name: str, *, opens: bool = True, lasts: int = 10**9) -> None:
        self.name = self.title = name
        self.left, self.opens, self.closed = lasts, opens, False

    def open(self) -> None:
        if not self.opens:
            raise RuntimeError("no compiler\nand a long trace")

    def __call__(self, lr: np.ndarray) -> np.ndarray:
        self.left -= 1
        if self.left < 0:
            raise MemoryError("out of memory")
        return lr.repeat(4, axis=0).repeat(4, axis=1)

    def close(self) -> None:
        self.closed = True


PEERS = {
    "compact": StandIn("compact"),
    "x4plus": StandIn("x4plus", opens=False),
    "espcn": StandIn("espcn"),  # made to fail in the rounds
}
LENGTHS = bench.Lengths(rounds=3, turn_s=60, slow_calls=1, starts=1, warm_up_s=0)  # A_TURN ends a turn, not the clock
A_TURN = 2


def stand_in(name: str, where: Surroundings) -> StandIn:
    if name not in PEERS:
        raise EnvironmentFault(f"{name} needs the package torch", hint="make bench, which installs it")
    return PEERS[name]


def refused(words: Sequence[str], cache: Path, threads: int | None = None) -> dict[str, str]:
    return dict.fromkeys(words, "a gate does not hold")


@pytest.fixture
def contest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "make_peer", stand_in)
    monkeypatch.setattr(bench.turns, "MOST_A_TURN", A_TURN)
    monkeypatch.setattr(bench, "build_int8", refused)
    monkeypatch.setattr(bench, "as_processes", lambda choices, folder, starts, tell: {})


@pytest.fixture
def record(contest: None, tiny: Bundle, tmp_path: Path) -> dict[str, Any]:
    names = [*PEERS, "published-ddpm300"]
    for each in PEERS.values():
        each.closed = False
    PEERS["espcn"].left = 2  # one to warm up, one that does not count
    return bench.run([str(tiny.folder)], names, cache=tmp_path, lengths=LENGTHS, tell=lambda line: None, threads=1)


def test_ours_and_the_peers_stand_in_one_report(record: dict[str, Any]) -> None:
    report = parse_report(json.loads(json.dumps(record["report"])))
    assert [(each.precision, each.peer) for each in report.variants] == [("fp32", False), ("fp32", True)]
    ours, peer = report.variants
    assert ours.file_latency is not None
    assert ours.file_latency.calls == ours.latency.calls == peer.latency.calls == 3 * A_TURN
    assert {"decode", "compute", "write"} <= ours.file_latency.phases_p50_ms.keys()
    assert (ours.macs, peer.macs) == (0, 11)  # the tiny bundle has no convolution
    assert peer.note == "repeats pixels; random weights"
    assert [each["peer"] for each in record["ratios"]] == ["compact"]


def test_what_fails_is_recorded_with_its_reason(record: dict[str, Any]) -> None:
    failed = {each["key"]: each["failed"] for each in record["peers"]}
    assert failed == {
        "compact": None,
        "x4plus": "RuntimeError: no compiler",
        "espcn": "MemoryError: out of memory",
        "published-ddpm300": "published-ddpm300 needs the package torch",
    }
    assert all(each.closed for each in PEERS.values())


def test_without_an_engine_the_bars_are_not_measured(record: dict[str, Any]) -> None:
    assert record["judged"] is None
    assert {bar["held"] for bar in record["bars"]} == {None}


def test_the_caller_s_engines_are_not_looked_at_and_come_back(
    contest: None, tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def looked(words: Sequence[str], cache: Path, threads: int | None = None) -> dict[str, str]:
        seen.append((cache, bench_cache(), threads))
        return refused(words, cache)

    monkeypatch.setattr(bench, "build_int8", looked)
    before = bench_cache()
    bench.run([str(tiny.folder)], [], cache=tmp_path, lengths=LENGTHS, tell=lambda line: None, threads=1)
    here = str(tmp_path / "engines")
    assert seen == [(tmp_path / "engines", here, None), (tmp_path / "engines-of-one-thread", here, 1)]
    assert bench_cache() == before


def test_a_missing_bundle_is_told_before_peers_are_built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "make_peer", lambda name, where: pytest.fail("built"))
    with pytest.raises(UsageError, match="no such model"):
        bench.run([str(tmp_path / "none")], ["compact"], cache=tmp_path, lengths=LENGTHS, tell=lambda line: None)


def bench_cache() -> str | None:
    return os.environ.get("EDGE_SR_CACHE")


def test_a_quick_run_is_told_and_written_only_where_asked(
    contest: None, tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "RESULT", tmp_path / "result.json")
    monkeypatch.setattr(bench, "QUICK", LENGTHS)
    words = ["--quick", "--model", str(tiny.folder), "--peer", "compact", "--threads", "1", "--cache", str(tmp_path)]
    told = CliRunner().invoke(bench.command, words)
    assert told.exit_code == 0, told.output
    assert "a quick run" in told.output and "| compact* |" in told.output
    assert not (tmp_path / "result.json").exists()
    out = tmp_path / "bench.json"
    assert CliRunner().invoke(bench.command, [*words, "--out", str(out)]).exit_code == 0
    assert json.loads(out.read_text())["quick"] is True
