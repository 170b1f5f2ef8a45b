"""Polygraphy's Comparator over the float32 graph and a candidate, output by output.

With graphs that ``stages.put_out`` wrote the stages of a chain are among the outputs. The end-to-end gates of
``accuracy`` decide; what is found here says where a candidate goes astray. Any Polygraphy runner fits: ``onnx_runner``
here, ``TrtRunner`` on a device. No part of Polygraphy that needs TensorRT is touched from here.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from build_engines.check.comparison import LARGEST_PSNR_DB, ratio_db
from edge_sr.backends.base import Session
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.errors import EdgeSRError, EnvironmentFault, IntegrityError, UsageError
from edge_sr.image.atomic import write_atomically
from edge_sr.tensors import Tensors

QUANTILE = 0.99
Runner = Any  # polygraphy.backend.base.BaseRunner, which has no types


@dataclass(frozen=True)
class TensorError:
    """One output of the candidate against that of the reference, over all feeds.

    snr_db: power of the reference over that of the error. psnr_db: the same with the span of the reference as signal.
    largest, quantile_99: of the absolute error; the quantile is the worst of any feed. fault: "" or why there are no
    figures: another shape, NaN or Inf, no such output.
    """

    tensor: str
    snr_db: float
    psnr_db: float
    largest: float
    quantile_99: float
    fault: str = ""


def onnx_runner(graph: Path, name: str, backend: OnnxRuntime) -> Runner:
    """A runner of an ONNX file in ONNX Runtime, with the threads of the backend. name: no two alike in a comparison."""
    with _polygraphy() as polygraphy:
        return polygraphy.OnnxrtRunner(lambda: backend.inference_session(graph), name=name)


def session_runner(open_session: Callable[[], Session], name: str) -> Runner:
    """A runner around one of our own sessions, so that what is compared is what will run."""
    with _polygraphy() as polygraphy:

        class SessionRunner(polygraphy.BaseRunner):  # type: ignore[misc,name-defined]
            def activate_impl(self) -> None:
                self.session = open_session()

            def get_input_metadata_impl(self) -> Any:
                metadata = polygraphy.TensorMetadata()
                for spec in self.session.inputs:
                    shape = [axis if isinstance(axis, int) else -1 for axis in spec.shape]
                    metadata.add(spec.name, np.dtype(spec.dtype), shape)
                return metadata

            def infer_impl(self, feed_dict: Mapping[str, np.ndarray]) -> OrderedDict[str, np.ndarray]:
                return OrderedDict(self.session.run(feed_dict))

            def deactivate_impl(self) -> None:
                self.session.close()

        return SessionRunner(name)


def compare_outputs(reference: Runner, candidate: Runner, feeds: Sequence[Tensors]) -> list[TensorError]:
    """Both runners on the same feeds, one row an output of the reference, in its order; feed by feed."""
    if not feeds:
        raise UsageError("nothing to compare on", expected="one feed or more")
    with _polygraphy() as polygraphy:
        return _rows(polygraphy, polygraphy.Comparator.run([reference, candidate], data_loader=feeds, streaming=True))


def record(runner: Runner, feeds: Sequence[Tensors], path: Path) -> None:
    """What one runner makes of the feeds, as a JSON file of Polygraphy's, to be compared on another machine."""
    with _polygraphy() as polygraphy:
        polygraphy.Comparator.run([runner], data_loader=feeds, save_outputs_path=str(path))


def compare_recorded(reference: Path, candidate: Path) -> list[TensorError]:
    """Two files of ``record`` on the same feeds. IntegrityError where one is none."""
    with _polygraphy() as polygraphy:
        return _rows(polygraphy, [_loaded(polygraphy, path) for path in (reference, candidate)])


def _loaded(polygraphy: SimpleNamespace, path: Path) -> Any:
    try:
        return polygraphy.RunResults.load(str(path))
    except (OSError, ValueError, polygraphy.PolygraphyException) as fault:
        raise IntegrityError("holds no outputs of Polygraphy", where=path, expected="a file of record") from fault


def _rows(polygraphy: SimpleNamespace, runs: Any) -> list[TensorError]:
    comparison = _Comparison()
    polygraphy.Comparator.compare_accuracy(runs, compare_func=comparison)
    return [tally.row(name) for name, tally in comparison.tallies.items()]


@contextmanager
def _polygraphy() -> Iterator[SimpleNamespace]:
    """Its names, with its log off stdout, and its errors as ours."""
    try:
        from polygraphy.backend.base import BaseRunner
        from polygraphy.backend.onnxrt import OnnxrtRunner
        from polygraphy.common import TensorMetadata
        from polygraphy.comparator import Comparator, RunResults
        from polygraphy.exception import PolygraphyException
        from polygraphy.logger import G_LOGGER
    except ImportError as error:
        raise EnvironmentFault(f"polygraphy: {error}", hint='pip install "edge-sr[build]"') from error
    names = SimpleNamespace(
        BaseRunner=BaseRunner,
        OnnxrtRunner=OnnxrtRunner,
        TensorMetadata=TensorMetadata,
        Comparator=Comparator,
        RunResults=RunResults,
        PolygraphyException=PolygraphyException,
    )
    try:
        with G_LOGGER.verbosity(G_LOGGER.CRITICAL + 1):  # what is critical it raises, too
            yield names
    except PolygraphyException as error:
        raise EdgeSRError(f"Polygraphy cannot compare: {error}") from error


class _Comparison:
    """A compare function of Polygraphy's kind that adds up over the feeds."""

    def __init__(self) -> None:
        self.tallies: dict[str, _Tally] = {}

    def __call__(self, reference: Mapping[str, Any], candidate: Mapping[str, Any]) -> OrderedDict[str, bool]:
        matches: OrderedDict[str, bool] = OrderedDict()
        for name, expected in reference.items():
            tally = self.tallies.setdefault(name, _Tally())
            tally.add(np.asarray(expected), np.asarray(candidate[name]) if name in candidate else None)
            matches[name] = not tally.fault
        return matches


class _Tally:
    """What is known of one output."""

    def __init__(self) -> None:
        self.signal, self.noise, self.count = 0.0, 0.0, 0
        self.low, self.high = np.inf, -np.inf
        self.largest, self.quantile, self.fault = 0.0, 0.0, ""

    def add(self, expected: np.ndarray, got: np.ndarray | None) -> None:
        self.fault = self.fault or _fault(expected, got)
        if self.fault or got is None:
            return
        values = expected.astype(np.float64)
        error = np.abs(got.astype(np.float64) - values)
        self.signal += float(np.sum(values**2))
        self.noise += float(np.sum(error**2))
        self.count += values.size
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        self.largest = max(self.largest, float(error.max()))
        self.quantile = max(self.quantile, float(np.quantile(error, QUANTILE)))

    def row(self, name: str) -> TensorError:
        if self.fault:
            return TensorError(name, -LARGEST_PSNR_DB, -LARGEST_PSNR_DB, 0.0, 0.0, self.fault)
        psnr_db = ratio_db((self.high - self.low) ** 2 * self.count, self.noise)
        return TensorError(name, ratio_db(self.signal, self.noise), psnr_db, self.largest, self.quantile)


def _fault(expected: np.ndarray, got: np.ndarray | None) -> str:
    if got is None:
        return "the candidate has no such output"
    if got.shape != expected.shape:
        return f"its shape is {got.shape} and should be {expected.shape}"
    return "" if np.isfinite(got).all() else "it holds NaN or Inf"


def faults(errors: Iterable[TensorError]) -> list[str]:
    """A sentence for every output that could not be compared."""
    return [f"{each.tensor}: {each.fault}" for each in errors if each.fault]


def table_text(errors: Iterable[TensorError]) -> str:
    """Lines for a terminal."""
    lines = [f"{'tensor':40} {'SNR, dB':>8} {'PSNR, dB':>8} {'99 % below':>11} {'largest':>11}"]
    for each in errors:
        figures = f"{each.snr_db:8.2f} {each.psnr_db:8.2f} {each.quantile_99:11.3g} {each.largest:11.3g}"
        lines.append(f"{each.tensor:40} {each.fault or figures}")
    return "\n".join(lines)


def write_errors(path: Path, errors: Mapping[str, Iterable[TensorError]], *, overwrite: bool = False) -> None:
    """As JSON, by graph."""
    record = {graph: [asdict(each) for each in of_graph] for graph, of_graph in errors.items()}
    write_atomically(path, (json.dumps(record, indent=1) + "\n").encode(), overwrite=overwrite)
