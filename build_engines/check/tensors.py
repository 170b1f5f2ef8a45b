"""The engine against the float32 graph in Polygraphy, output by output, and its graph stage by stage.

The gates decide (``accuracy``); this says where a candidate goes astray, and is kept in the build's folder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
from onnx import ModelProto

from build_engines.candidate import Candidate, Workbench
from build_engines.chain_graphs import running
from build_engines.check.polygraphy import TensorError, compare_outputs, onnx_runner
from build_engines.check.stages import put_out, recorded_feeds, stages
from build_engines.precision.quantiser import judge_of
from calibration.collect import Batches
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.tensors import Tensors

PICTURES = 3  # at each fidelity


def check_tensors(bench: Workbench, candidate: Candidate) -> dict[str, list[TensorError]]:
    """Rows by what was compared: "upscale" for an engine's outputs, "upscale, stages" for those of its graph.

    Stages are compared in ONNX Runtime whatever the target: an engine does not put them out.
    """
    backend = judge_of(bench.target.flavour)
    count = bench.effort.of(PICTURES)
    batches = Batches(bench.pictures.lr[:count], bench.pictures.noise_seeds[:count], size=1)
    feeds = recorded_feeds(lambda observer: running(bench.chain, bench.graphs, observer), batches, backend=backend)
    rows = {}
    for role, graph in bench.graphs.items():
        folder = bench.folder / f"check-{role}"
        folder.mkdir()
        engine = bench.target.runner(candidate.engines[role], "engine")
        rows[role] = compare_outputs(_runner(graph, folder, "float32", backend), engine, feeds[role])
        if names := stages(graph):
            rows[f"{role}, stages"] = _stages(graph, candidate.graphs[role], names, folder, backend, feeds[role])
    return rows


def _stages(
    graph: ModelProto,
    other: ModelProto,
    names: tuple[str, ...],
    folder: Path,
    backend: OnnxRuntime,
    feeds: list[Tensors],
) -> list[TensorError]:
    reference = _runner(put_out(graph, names), folder, "float32 stages", backend)
    candidate = _runner(put_out(other, names), folder, "candidate stages", backend)
    return compare_outputs(reference, candidate, feeds)


def _runner(graph: ModelProto, folder: Path, name: str, backend: OnnxRuntime) -> Any:
    path = folder / f"{name.replace(' ', '-')}.onnx"
    onnx.save(graph, path)
    return onnx_runner(path, name, backend)


def as_json(rows: Mapping[str, list[TensorError]]) -> bytes:
    return (json.dumps({name: [asdict(each) for each in found] for name, found in rows.items()}, indent=1)).encode()
