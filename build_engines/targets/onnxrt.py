"""Engines of ONNX Runtime: a graph as it has optimised it for this processor, so that opening it is fast.

Before that the projection gets the operators that are fastest on a CPU, and afterwards each 8-bit convolution the form
that is fastest here; both compute the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

from build_engines.check.polygraphy import onnx_runner
from build_engines.targets.base import Compiled, Tell
from build_engines.tuning.fastest_forms import take_fastest
from build_engines.tuning.float_projection import for_cpu
from build_engines.tuning.rectified_sums import rectified_on_codes
from edge_sr.artifacts.engine_key import Machine, Option, machine_for
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault, IntegrityError

FORMS = "convolutions.json"  # what was measured, beside an engine
ANY_BATCH = 65_535  # the largest that a key can hold; a graph of ONNX Runtime takes every batch


@dataclass(frozen=True)
class OnnxRuntimeTarget:
    """ONNX Runtime on the CPU; see ``build_engines.targets.base.Target``."""

    backend: OnnxRuntime
    flavour: str = "onnxruntime"
    batch: tuple[int, int, int] = (1, 1, ANY_BATCH)

    @property
    def machine(self) -> Machine:
        return machine_for(self.backend, read_facts())

    @property
    def options(self) -> Mapping[str, Option]:
        return {}

    def runner(self, engine: Path, name: str) -> Any:
        return onnx_runner(engine, name, self.backend)

    def compile(self, graph: Path, engine: Path, *, tell: Tell) -> Compiled:
        with TemporaryDirectory(prefix="edge-sr-") as folder:
            self._optimize(_rewritten(graph, Path(folder)), graph, engine)
        choice = take_fastest(engine, self.backend)
        if choice is None:
            return Compiled()
        tell(str(choice))
        return Compiled(choice.summary(), {FORMS: json.dumps(choice.to_json(), indent=1).encode()})

    def _optimize(self, path: Path, graph: Path, engine: Path) -> None:
        """path: what is optimised. graph: as which errors name it."""
        try:
            self.backend.inference_session(path, optimized=engine)
        except IntegrityError as error:  # ONNX Runtime has one and the same exception for both
            self.backend.inference_session(graph)  # raises where the graph is at fault
            raise EnvironmentFault(
                "an engine cannot be written", where=engine, hint="df -h; edge-sr engines prune"
            ) from error


def _rewritten(graph: Path, folder: Path) -> Path:
    """The file that stands for the graph: itself where there is nothing to rewrite, or where it is none."""
    try:
        model: ModelProto = onnx.load(graph)
    except DecodeError:
        return graph  # ONNX Runtime says what is wrong with it
    faster = for_cpu(rectified_on_codes(model))
    if faster is model:
        return graph
    onnx.save(faster, folder / graph.name)
    return folder / graph.name
