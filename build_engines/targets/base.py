"""What a build is for: a runtime that compiles graphs into engines and runs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from edge_sr.artifacts.engine_key import Machine, Option
from edge_sr.backends.base import Backend

Tell = Callable[[str], None]
"""Told of what happens, a line at a time."""


@dataclass(frozen=True)
class Compiled:
    """One engine. details: figures for the build's report. files: what else is worth keeping, by name."""

    details: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    simulated: bool = False


class Target(Protocol):
    """One runtime on this machine.

    flavour: of the Q/DQ pairs it takes, one of ``build_engines.quantize.FLAVOURS``; the runtime's name as well.
    batch: smallest, best and largest.
    options: of the builder, as they stand in the engine's key.
    """

    @property
    def flavour(self) -> str: ...

    @property
    def backend(self) -> Backend: ...

    @property
    def machine(self) -> Machine: ...

    @property
    def batch(self) -> tuple[int, int, int]: ...

    @property
    def options(self) -> Mapping[str, Option]: ...

    def runner(self, engine: Path, name: str) -> Any:
        """Polygraphy's runner of an engine."""

    def compile(self, graph: Path, engine: Path, *, tell: Tell) -> Compiled:
        """Write the engine of an ONNX file. IntegrityError where the runtime refuses the graph."""
