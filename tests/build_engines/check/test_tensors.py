"""The engine against float32 tensor by tensor, in Polygraphy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")
pytest.importorskip("polygraphy", reason="the comparison is Polygraphy's")

from build_engines.candidate import workbench  # noqa: E402
from build_engines.chain_graphs import float_graphs  # noqa: E402
from build_engines.check.polygraphy import TensorError  # noqa: E402
from build_engines.check.tensors import as_json, check_tensors  # noqa: E402
from build_engines.precision.quantiser import in_fp16  # noqa: E402
from build_engines.targets.onnxrt import OnnxRuntimeTarget  # noqa: E402
from edge_sr.artifacts.bundle import Bundle  # noqa: E402
from edge_sr.artifacts.chain import Chain, chain_of  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from tests.build_engines.sr_models import pictures  # noqa: E402


def rows_of(chain: Chain, folder: Path) -> dict[str, list[TensorError]]:
    graphs = float_graphs(chain)
    target = OnnxRuntimeTarget(OnnxRuntime(1, spinning=False))
    with workbench(chain, target, graphs, pictures(1), folder=folder, tell=lambda line: None, threads=1) as bench:
        return check_tensors(bench, bench.candidate("fp16", in_fp16(graphs)))


def test_the_picture_and_every_stage_of_a_composed_chain(default_chain: Chain, tmp_path: Path) -> None:
    rows = rows_of(default_chain, tmp_path)
    assert list(rows) == ["upscale", "upscale, stages"]
    (picture,) = rows["upscale"]
    assert picture.tensor == "sr" and 55 < picture.psnr_db < 120 and picture.fault == ""
    assert len(rows["upscale, stages"]) >= 3  # encoder, denoiser, decoder
    assert min(row.snr_db for row in rows["upscale, stages"]) > 30


def test_every_network_of_a_staged_one(tiny: Bundle, tmp_path: Path) -> None:
    rows = rows_of(chain_of(tiny, sampler="ddpm", steps=2), tmp_path)
    outputs = {role: [row.tensor for row in rows[role]] for role in ("encoder", "denoiser", "decoder")}
    assert outputs == {"encoder": ["cond"], "denoiser": ["prediction"], "decoder": ["sr"]}


def test_the_record_is_json(tiny: Bundle, tmp_path: Path) -> None:
    rows = rows_of(chain_of(tiny), tmp_path)
    record = json.loads(as_json(rows))
    assert record["upscale"][0]["tensor"] == "sr" and record["upscale"][0]["fault"] == ""
