"""A candidate for publication: graphs in one precision, compiled, opened as they would run, and judged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx

from build_engines.chain_graphs import Graphs, running
from build_engines.check.accuracy import Verdict, against_truth, judge
from build_engines.check.comparison import Answer, answers, compare
from build_engines.check.effort import Effort
from build_engines.sensitivity.macs import effort_of
from build_engines.targets.base import Compiled, Target, Tell
from calibration.images import CalibrationImages
from edge_sr.artifacts.chain import Chain, Networks
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.models import open_model
from edge_sr.models.base import SRModel
from edge_sr.models.seeded import seeded
from edge_sr.timing import side_by_side

TIMED_MS = 3000.0  # about so long each model is timed, in ROUNDS at most
ROUNDS = (3, 40)


@dataclass(frozen=True)
class Candidate:
    """precision: what it is. high: convolutions kept out of INT8. engines: by role."""

    precision: str
    graphs: Graphs = field(repr=False)
    engines: Mapping[str, Path]
    compiled: Mapping[str, Compiled]
    verdict: Verdict
    high: tuple[str, ...] = ()

    @property
    def simulated(self) -> bool:
        return any(each.simulated for each in self.compiled.values())


@dataclass(frozen=True)
class Workbench:
    """Everything that candidates for one chain and target are made and judged with.

    graphs: in float32. reference: the model that they are, in ONNX Runtime. truth: (n, 1, H, W) HR pictures, or None.
    folder: where engines and other files of the build are written.
    """

    chain: Chain
    target: Target
    graphs: Graphs = field(repr=False)
    pictures: CalibrationImages = field(repr=False)
    reference: SRModel
    folder: Path
    tell: Tell
    truth: np.ndarray | None = field(default=None, repr=False)

    @cached_property
    def effort(self) -> Effort:
        """What a picture costs."""
        return effort_of(self.chain, self.graphs)

    def candidate(self, precision: str, graphs: Graphs, *, high: tuple[str, ...] = ()) -> Candidate:
        """Compiled and judged, whatever the verdict."""
        folder = self.folder / f"{precision}-{len(list(self.folder.iterdir()))}"
        folder.mkdir()
        engines, compiled = {}, {}
        for role, graph in graphs.items():
            onnx.save(graph, folder / f"{role}.onnx")
            engines[role] = folder / f"{role}.engine"
            compiled[role] = self.target.compile(folder / f"{role}.onnx", engines[role], tell=self.tell)
        return Candidate(precision, graphs, engines, compiled, self._verdict(precision, engines), high)

    def _verdict(self, precision: str, engines: Mapping[str, Path]) -> Verdict:
        with self.opened(precision, engines) as model:
            rows = compare(self.expected, answers(model, self.pictures))
            truth = [] if self.truth is None else against_truth(self.reference, model, self.truth)
        return judge(rows, truth)

    @cached_property
    def expected(self) -> list[Answer]:
        return list(answers(self.reference, self.pictures))

    def opened(self, precision: str, engines: Mapping[str, Path]) -> SRModel:
        """The model as it would run, by the target's own backend."""
        chain = self.chain
        networks = Networks(engines, precision)
        return open_model(
            chain.bundle, self.target.backend, sampler=chain.sampler, steps=chain.steps, networks=networks
        )

    def times(self, candidates: Mapping[str, Candidate]) -> dict[str, float]:
        """Milliseconds for one tile of each candidate, and under "reference" of the float32 graphs, in turn."""
        models = {name: self.opened(each.precision, each.engines) for name, each in candidates.items()}
        try:
            calls = {name: self._call(model) for name, model in {"reference": self.reference, **models}.items()}
            once = side_by_side(calls, rounds=1, warmup=1)
            rounds = int(np.clip(TIMED_MS / max(once.values()), *ROUNDS))
            return side_by_side(calls, rounds=rounds, warmup=min(rounds, 5))
        finally:
            for model in models.values():
                model.close()

    def _call(self, model: SRModel) -> Callable[[], object]:
        lr, seeds = self.pictures.lr[:1], self.pictures.noise_seeds[:1]
        return lambda: seeded(model, lr, seeds, model.fidelity)


@contextmanager
def workbench(
    chain: Chain,
    target: Target,
    graphs: Graphs,
    pictures: CalibrationImages,
    *,
    folder: Path,
    tell: Tell,
    threads: int | None = None,
    truth: np.ndarray | None = None,
) -> Iterator[Workbench]:
    """threads: of the float32 reference; None takes all cores."""
    # Not spinning: an idle session that spins would slow the one that is timed beside it.
    with running(chain, graphs, OnnxRuntime(threads, spinning=False)) as reference:
        yield Workbench(chain, target, graphs, pictures, reference, folder, tell, truth)
