from __future__ import annotations

import json
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")

from edge_sr.bench.roofline.devices import Device  # noqa: E402
from edge_sr.bench.roofline.floor import Roofline, roofline  # noqa: E402
from edge_sr.bench.roofline.node_times import NodeTime, Profile  # noqa: E402
from edge_sr.errors import InputError  # noqa: E402
from tests.bench.roofline.graphs import chain  # noqa: E402

# 128 operations take 1.28 ms, 256 bytes 0.256 ms: at these rates convolutions are bound by arithmetic, sums by memory.
SLOW = Device("slow", "Slow", {"fp32": 1e-7, "fp16": 2e-7, "int8": 4e-7}, 1e-3, 100.0, 5.0, fuses=False)
NODES = ("decoder/a", "decoder/b", "decoder/c", "decoder/d", "decoder/e", "decoder/f", "node_9")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    onnx.save(chain(), tmp_path / "upscale.onnx")
    return tmp_path / "upscale.onnx"


def profile(ms: float) -> Profile:
    nodes = {name: NodeTime("Conv" if name[-1] in "acf" else "Other", ms, ms, ms) for name in NODES}
    return Profile(1, 10, 20.0, 19.0, nodes, None)


def found(path: Path, **options: Profile) -> Roofline:
    return roofline(path, device=SLOW, precision="fp32", **options)


def test_the_floor_is_the_longer_of_the_two_and_the_launches(path: Path) -> None:
    result = found(path)
    assert result.compute_ms == pytest.approx(3 * 1.28 + 4 * 0.32)
    assert result.memory_ms == pytest.approx(3 * 0.272 + 2 * 0.256 + 2 * 0.384)
    assert result.launch_ms == pytest.approx(7 * 0.1)
    assert result.floor_ms == pytest.approx(3 * 1.28 + 2 * 0.32 + 2 * 0.384 + 0.7)


def test_each_launch_names_its_bound(path: Path) -> None:
    bounds = [each.bound for each in found(path).floors]
    assert bounds == ["compute", "compute", "compute", "memory", "compute", "compute", "memory"]
    assert found(path).bound == "compute"


def test_energy_is_what_the_module_may_draw_for_that_long(path: Path) -> None:
    result = found(path)
    assert result.energy_mj == pytest.approx(5.0 * result.floor_ms)


def test_shares_of_the_stages_are_the_whole(path: Path) -> None:
    stages = found(path).stages()
    assert [stage["stage"] for stage in stages] == ["decoder", "projection"]
    assert stages[1]["share"] == pytest.approx((0.384 + 0.1) / found(path).floor_ms)


def test_measured_times_stand_beside_their_floors_by_kind(path: Path) -> None:
    gaps = {gap.kind: gap for gap in found(path, profile=profile(2.0)).gaps()}
    assert gaps["Conv"].measured_ms == 6.0 and gaps["Conv"].times == pytest.approx(6 / 3.84)
    assert list(gaps) == ["Relu", "Add", "Conv"]  # by their gaps


def test_a_floor_above_what_was_measured_is_told(path: Path) -> None:
    assert found(path, profile=profile(2.0)).above == ()
    assert found(path, profile=profile(1.0)).above == ("decoder/a", "decoder/c", "decoder/f")


def test_json_says_that_it_is_a_prediction(path: Path) -> None:
    raw = json.loads(json.dumps(found(path, profile=profile(2.0)).to_json(), allow_nan=False))
    assert raw["label"] == "prediction" and raw["as_written"] is False
    assert len(raw["nodes"]) == raw["launches"] == 7
    assert raw["measured"]["times_floor"] == pytest.approx(20 / raw["floor_ms"])


def test_a_file_that_is_no_graph_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(InputError, match=r"x\.onnx: is no ONNX file"):
        found(tmp_path / "x.onnx")
