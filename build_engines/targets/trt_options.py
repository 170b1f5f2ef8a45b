"""What is asked of a TensorRT build, and what it tells of itself."""

from __future__ import annotations

from dataclasses import dataclass

from edge_sr.errors import UsageError


@dataclass(frozen=True)
class TrtOptions:
    """How a graph is compiled.

    batch: least, tuned for, most pictures a call. workspace_mib: scratch memory that a tactic may ask for; a board of
    8 GB shares its memory with the system, and the networks here want a few hundred MiB. optimization_level: 0 to 5, 3
    is TensorRT's own; higher tries more tactics for longer.
    """

    batch: tuple[int, int, int] = (1, 1, 8)
    workspace_mib: int = 1024
    optimization_level: int = 3

    def __post_init__(self) -> None:
        least, tuned, most = self.batch
        if not 1 <= least <= tuned <= most:
            raise UsageError(f"got the batches {self.batch}", expected="1 <= least <= tuned for <= most")
        if not 0 <= self.optimization_level <= 5:
            raise UsageError(f"got optimisation level {self.optimization_level}", expected="0 to 5")
        if self.workspace_mib < 1:
            raise UsageError(f"got a workspace of {self.workspace_mib} MiB", expected="1 or more")


@dataclass(frozen=True)
class CompileReport:
    """What came out of a build.

    reformat_layers: layers that only change a tensor's layout or type; many of them eat what INT8 gains. inspector:
    TensorRT's JSON on every layer. timing_cache: "none", "new", "read" or "foreign" (ignored). simulated: no TensorRT
    was there, the engine runs in the tests' simulator alone, and nothing said of it is a measurement.
    """

    seconds: float
    bytes: int
    layers: int
    reformat_layers: int
    inspector: str
    version: str
    timing_cache: str
    warnings: tuple[str, ...]
    simulated: bool
