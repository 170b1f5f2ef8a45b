"""The fastest form of each 8-bit convolution on this machine, by measuring every one where it will run.

A form is taken where its nodes are faster by more than MARGIN, and all of them together only where the whole graph is
faster too and gives the same output bit for bit. Times are lower quartiles of what was taken in turn, so that it is
found on a busy machine too.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
from onnx import ModelProto

from build_engines.tuning.convolution_forms import AS_IT_IS, FORMS, Form, forms_of, in_forms, name_nodes, nodes_of
from edge_sr.backends.base import Session
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.bench.roofline.node_times import IN_A_ROW, NodeTime, feeds_for, profiles
from edge_sr.tensors import Tensors

MARGIN = 0.03  # of a node's time: less is chance
MEASURED_MS = 1500.0  # about so long each form of the graph is run, RUNS times
RUNS = (3, 40)
LONGEST_MS = 1000.0  # a picture that takes longer would make the build minutes longer
WARM_UP = 3
SEEDS = (0, 1)  # of the inputs on which outputs have to be equal


@dataclass(frozen=True)
class Choice:
    """What was found. forms: of the convolutions that have another one than AS_IT_IS; {} where none was kept.

    reason: why none was. taken_us: convolution -> form -> its time. before_ms, after_ms: of the whole graph in turn.
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    reason: str = ""
    taken_us: Mapping[str, Mapping[Form, float]] = field(default_factory=dict)
    before_ms: float | None = None
    after_ms: float | None = None

    def __str__(self) -> str:
        if not self.forms:
            return f"8-bit convolutions stay as they are: {self.reason}"
        counts = Counter(map(str, self.forms.values()))
        kinds = ", ".join(f"{count} {form}" for form, count in sorted(counts.items()))
        return f"8-bit convolutions: {kinds}; {self.before_ms:.2f} ms before, {self.after_ms:.2f} ms after, in turn"

    def summary(self) -> dict[str, object]:
        """How many convolutions have which form, and what that gained."""
        counts = Counter(str(self.forms.get(name, AS_IT_IS)) for name in self.taken_us)
        return {"convolutions": dict(counts), "before_ms": self.before_ms, "after_ms": self.after_ms}

    def to_json(self) -> dict[str, object]:
        convolutions = {
            name: {
                "form": str(self.forms.get(name, AS_IT_IS)),
                "us": {str(form): round(each, 1) for form, each in taken.items()},
            }
            for name, taken in self.taken_us.items()
        }
        return {
            "kept": bool(self.forms),
            "reason": self.reason,
            "before_ms": self.before_ms,
            "after_ms": self.after_ms,
            "convolutions": convolutions,
        }


def take_fastest(engine: Path, backend: OnnxRuntime) -> Choice | None:
    """Rewrite a graph that ONNX Runtime has optimised, if that makes it faster; None where there is nothing to choose.

    backend: measured with its threads, which must not spin.
    """
    model = onnx.load(engine)
    name_nodes(model)
    possible = forms_of(model)
    if not possible:
        return None
    with TemporaryDirectory(prefix="edge-sr-") as folder:
        plain = _saved(model, Path(folder) / "plain.onnx")
        with backend.open(plain) as session:
            feeds = [feeds_for(session.inputs, seed=seed) for seed in SEEDS]
            _run_ms(session, feeds[0])  # the first takes longer
            once_ms = _run_ms(session, feeds[0])
        if once_ms > LONGEST_MS:
            return Choice(reason=f"a run takes {once_ms / 1e3:.1f} s, too long to try others")
        runs = int(np.clip(MEASURED_MS / once_ms, *RUNS))
        taken_us = _measured(model, possible, backend, feeds[0], Path(folder), runs=runs)
        forms = {name: form for name, taken in taken_us.items() if (form := fastest(taken)) != AS_IT_IS}
        if not forms:
            return Choice(reason="no other form is faster", taken_us=taken_us)
        tuned = in_forms(model, forms)
        path = _saved(tuned, Path(folder) / "tuned.onnx")
        reason, before_ms, after_ms = _compared(plain, path, backend, feeds, runs=runs)
    if not reason:
        _saved(tuned, engine)
    return Choice({} if reason else forms, reason, taken_us, before_ms, after_ms)


def fastest(taken: Mapping[Form, float]) -> Form:
    """taken: times by form. Any other than AS_IT_IS has to be faster by MARGIN."""
    best = min(taken, key=lambda form: taken[form])
    return best if taken[best] < (1 - MARGIN) * taken[AS_IT_IS] else AS_IT_IS


def _measured(
    model: ModelProto,
    possible: Mapping[str, Collection[Form]],
    backend: OnnxRuntime,
    feeds: Tensors,
    folder: Path,
    *,
    runs: int,
) -> dict[str, dict[Form, float]]:
    """Microseconds by convolution and form: in one graph a form, which all have that can take it, run in turn."""
    files = {}
    for number, form in enumerate(FORMS):
        chosen = {name: form for name, forms in possible.items() if form in forms}
        files[str(form)] = _saved(in_forms(model, chosen), folder / f"form{number}.onnx")
    times = profiles(backend, files, feeds, runs=runs, warm_up=WARM_UP)
    return {
        name: {form: _microseconds(times[str(form)], name, form) for form in forms} for name, forms in possible.items()
    }


def _microseconds(times: Mapping[str, NodeTime], name: str, form: Form) -> float:
    return 1e3 * sum(times[node].quartile_ms for node in nodes_of(name, form) if node in times)


def _compared(
    before: Path, after: Path, backend: OnnxRuntime, feeds: list[Tensors], *, runs: int
) -> tuple[str, float, float]:
    """Why the second graph is not to be taken, "" where it is; and the milliseconds of both, taken in turn."""
    with backend.open(before) as one, backend.open(after) as other:
        equal = all(_equal(one.run(each), other.run(each)) for each in feeds)
        before_ms, after_ms = _in_turn((one, other), feeds[0], runs=runs)
    if not equal:
        return "the output of others differs", before_ms, after_ms
    slower = f"the graph takes {before_ms:.2f} ms with them and {after_ms:.2f} with others"
    return ("" if after_ms < before_ms else slower), before_ms, after_ms


def _in_turn(sessions: Sequence[Session], feeds: Tensors, *, runs: int) -> list[float]:
    """Milliseconds of each: the lower quartile of runs, IN_A_ROW of which follow each other as in ``profiles``."""
    taken: list[list[float]] = [[] for _ in sessions]
    for _ in range(0, WARM_UP + runs, IN_A_ROW):
        for session, times in zip(sessions, taken, strict=True):
            times += [_run_ms(session, feeds) for _ in range(IN_A_ROW)]
    return [round(float(np.quantile(times[WARM_UP:], 0.25)), 3) for times in taken]


def _run_ms(session: Session, feeds: Tensors) -> float:
    start = time.perf_counter()
    session.run(feeds)
    return (time.perf_counter() - start) * 1e3


def _equal(one: Tensors, other: Tensors) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one)


def _saved(model: ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path
