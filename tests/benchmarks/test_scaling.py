"""Curves over a stub that computes nothing, and the large picture without its process."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("onnx", reason="engines are built with onnx")
pytest.importorskip("onnxruntime", reason="engines are for ONNX Runtime")
pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks import scaling
from edge_sr.artifacts.bundle import Bundle
from edge_sr.models.bicubic import Bicubic


class Tiled(Bicubic):
    """Bicubic that is cut into tiles, as a network is."""

    tile = 64
    seen: list[int]

    def __call__(self, lr: np.ndarray, **options: Any) -> np.ndarray:
        self.seen.append(len(lr))
        out = options.get("out")
        sr = lr.repeat(4, axis=2).repeat(4, axis=3)
        return sr if out is None else np.copyto(out, sr) or out


POINTS = scaling.Points((64, 128, 192), (1, 2, 4), (("int8", (1, 2, 4)),), (128,), 2, rounds=1, turn_s=0.001)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Tiled:
    stub = Tiled()
    stub.seen = []

    def models(*given: object) -> Iterator[tuple[tuple[str, int], Tiled]]:
        return iter((("int8", steps), stub) for steps in (1, 2, 4))

    monkeypatch.setattr(scaling, "_models", models)
    monkeypatch.setattr(scaling, "LARGEST_DRAWN", 32)  # a phantom takes a while
    return stub


def test_each_curve_counts_what_it_says(model: Tiled, fake: Bundle, tmp_path: Path) -> None:
    curves = scaling.measure(fake, tmp_path, POINTS, lambda line: None)
    amounts = {name: [point["amount"] for point in curve["points"]] for name, curve in curves.items()}
    assert amounts == {
        "pixels": [64**2, 128**2, 192**2],
        "tiles": [1, 9, 16],
        "batch": [1, 2, 4],
        "steps, int8": [1, 2, 4],
    }
    assert {1, 2, 4} <= set(model.seen)
    assert all(point["p50_ms"] > 0 for curve in curves.values() for point in curve["points"])
    assert curves["pixels"]["fit"]["points"] == 3


def test_many_tiles_are_also_fitted_alone() -> None:
    times = {f"{count}": scaling.Timed(lambda phases: None) for count in (1, 9, 16, 25)}
    for count, call in times.items():
        call.taken_ms, call.phases = [50.0 if count == "1" else float(count)], [{}]
    told = scaling._told(scaling.Curve("tiles", "tiles", {name: int(name) for name in times}), times)
    assert (told["fit_of_several"]["exponent"], told["fit_of_several"]["points"]) == (1.0, 3)
    assert told["fit"]["exponent"] < 0


def test_a_large_picture_tells_time_memory_and_phases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_once(source: Path, target: Path) -> float:
        assert source.is_file()
        target.with_suffix(".json").write_text('{"phases_ms": {"compute": 7.0}}')
        return 1_000_000

    monkeypatch.setattr(scaling, "run_once", run_once)
    told = scaling.large_picture(128, tmp_path, 2, lambda line: None)
    assert (told["lr"], told["sr"], told["tiles"], told["peak_mb"]) == ([128, 128], [512, 512], 9, 1024.0)
    assert len(told["seconds"]) == 2 and told["phases_ms"] == {"compute": 7.0}
    (bar,) = scaling.bars({"large": [told]})
    assert bar.held is True


def test_a_large_picture_that_fails_says_why(tmp_path: Path) -> None:
    told = scaling.large_picture(64, tmp_path, 1, lambda line: None)  # there is no int8 engine in a test's cache
    (bar,) = scaling.bars({"large": [told]})
    assert bar.held is None and "no int8 engine of this model" in bar.why


def test_a_picture_beyond_what_is_drawn_is_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "LARGEST_DRAWN", 64)
    picture = scaling.picture_of.__wrapped__(200)
    assert (picture.pixels.shape, picture.pixels.dtype) == ((200, 200), np.uint8)


def test_the_record_is_written_and_told(
    model: Tiled, fake: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "QUICK", POINTS)
    monkeypatch.setattr(scaling, "run_once", lambda source, target: "out of memory")
    out = tmp_path / "scaling.json"
    words = ["--quick", "--bundle", str(fake.folder), "--cache", str(tmp_path), "--out", str(out)]
    told = CliRunner().invoke(scaling.command, words)
    assert told.exit_code == 0, told.output
    record = json.loads(out.read_text())
    assert (record["schema_version"], record["quick"], next(iter(record["curves"]))) == (1, True, "pixels")
    assert "| tiles | 3 | 1: " in told.output and "not measured peak memory" in told.output
