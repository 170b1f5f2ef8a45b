"""Engines of ONNX Runtime: a graph as it has optimised it for this processor, so that opening it is fast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from build_engines.check.polygraphy import onnx_runner
from build_engines.targets.base import Compiled, Tell
from edge_sr.artifacts.engine_key import Machine, Option, machine_for
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault, IntegrityError

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
        try:
            self.backend.inference_session(graph, optimized=engine)
        except IntegrityError as error:  # ONNX Runtime has one and the same exception for both
            self.backend.inference_session(graph)  # raises where the graph is at fault
            raise EnvironmentFault(
                "an engine cannot be written", where=engine, hint="df -h; edge-sr engines prune"
            ) from error
        return Compiled()
