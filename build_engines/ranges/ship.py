"""Calibration tables that travel inside a bundle, so that a device quantises without pictures of its own.

Beside each table the manifest says what INT8 by it costs against ground truth: a device has none, so the gates against
it are held here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np

from build_engines.chain_graphs import Graphs, float_graphs, running
from build_engines.check.accuracy import Verdict, against_truth, end_to_end, judge
from build_engines.check.comparison import lr_of
from build_engines.precision.quantiser import Quantiser, judge_of
from build_engines.quantize import FLAVOURS
from build_engines.ranges.calibrated import observe, refine, table_of
from build_engines.targets.base import Tell
from calibration.images import CalibrationImages
from calibration.table import CalibrationTable
from edge_sr.artifacts.bundle import Bundle, extend_bundle
from edge_sr.artifacts.chain import Chain, chain_of
from edge_sr.artifacts.manifest import CalibrationFile
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.models.base import SRModel

STEPS = (1, 2, 4)  # of denoising, with the bundle's own sampler where it has one
END_TO_END = 24  # pictures of the truth that are also compared with float32


def ship_tables(
    bundle: Bundle,
    pictures: CalibrationImages,
    *,
    truth: np.ndarray | None = None,
    method: str,
    threads: int | None = None,
    tell: Tell,
) -> Bundle:
    """The bundle in its place, with a table for each of STEPS in it (one, where no sampler runs).

    truth: (n, 1, H, W) HR pictures that neither trained the model nor are among ``pictures``; None checks nothing.
    Raises AccuracyError, and leaves the bundle as it was, where INT8 by a table does not hold the gates.
    """
    files, listed = {}, []
    for chain in _chains(bundle):
        graphs = float_graphs(chain)
        observed = observe(chain, graphs, pictures, threads=threads)
        table = table_of(chain, pictures, observed, method=method)
        table = refine(table, chain, graphs, pictures, observed, threads=threads, tell=tell)
        checked: dict[str, object] = {}
        if truth is not None:
            table, checked = _checked(chain, graphs, table, truth, threads, tell)
        file = f"calibration/{chain.sampler}-{chain.steps}.json"
        tell(f"{file}: {len(table.tensors)} tensors")
        files[file] = table.to_bytes()
        listed.append(CalibrationFile(chain.sampler, chain.steps, file, checked))
    return extend_bundle(bundle, files, replace(bundle.manifest, calibration=tuple(listed)))


def _chains(bundle: Bundle) -> list[Chain]:
    default = chain_of(bundle)
    return [chain_of(bundle, steps=steps) for steps in STEPS] if default.draws_noise else [default]


def _checked(
    chain: Chain, graphs: Graphs, table: CalibrationTable, truth: np.ndarray, threads: int | None, tell: Tell
) -> tuple[CalibrationTable, dict[str, object]]:
    """The table with what was found harmless, and the record of the manifest: what was gated, by flavour."""
    record: dict[str, object] = {"truth_sha256": hashlib.sha256(truth.tobytes()).hexdigest(), "pictures": len(truth)}
    with running(chain, graphs, OnnxRuntime(threads, spinning=False)) as reference:
        for flavour in FLAVOURS:
            judged = _Judged(chain, graphs, table, flavour, reference, truth, threads)
            # For TensorRT first and last convolutions stay FP16, see Quantiser.of.
            harmless = judged.ends() if flavour == "onnxruntime" else ()
            verdict = judged.verdict(harmless, tell)
            while harmless and not verdict.passed:
                harmless = judged.without_the_worst(harmless)
                verdict = judged.verdict(harmless, tell)
            if not verdict.passed:
                raise verdict.error(f"{chain}, int8 for {flavour}")
            if flavour == "onnxruntime":
                table = replace(table, harmless=harmless)
            record[flavour] = _summary(verdict)
    return table, record


@dataclass(frozen=True)
class _Judged:
    """INT8 of one chain and flavour against float32 and the truth, with some first and last convolutions in INT8."""

    chain: Chain
    graphs: Graphs
    table: CalibrationTable
    flavour: str
    reference: SRModel
    truth: np.ndarray
    threads: int | None

    def ends(self) -> tuple[str, ...]:
        quantiser = Quantiser.of(self.graphs, self.table, self.flavour, harmless=())
        return tuple(sorted(quantiser.kept))

    def verdict(self, harmless: tuple[str, ...], tell: Tell) -> Verdict:
        with self._opened(harmless) as candidate:
            truths = against_truth(self.reference, candidate, self.truth)
            verdict = judge(end_to_end(self.reference, candidate, self._some()), truths)
        tell(f"int8 for {self.flavour}, of the first and last convolutions also {', '.join(harmless) or 'none'}:")
        for line in _lines(verdict):
            tell(line)
        return verdict

    def without_the_worst(self, harmless: tuple[str, ...]) -> tuple[str, ...]:
        """Of all that leave one out, the choice that is nearest to float32."""
        choices = [tuple(other for other in harmless if other != name) for name in harmless]
        return max(choices, key=self._psnr_db)

    def _psnr_db(self, harmless: tuple[str, ...]) -> float:
        with self._opened(harmless) as candidate:
            return judge(end_to_end(self.reference, candidate, self._some())).psnr_db

    def _some(self) -> CalibrationImages:
        return lr_of(self.truth[:END_TO_END], self.reference.scale)

    def _opened(self, harmless: tuple[str, ...]) -> AbstractContextManager[SRModel]:
        quantised = Quantiser.of(self.graphs, self.table, self.flavour, harmless=harmless).graphs()
        return running(self.chain, quantised, judge_of(self.flavour, self.threads), precision="int8")


def _lines(verdict: Verdict) -> Iterator[str]:
    for row, truth in zip(verdict.rows, verdict.truth, strict=True):
        changes = ", ".join(f"{measure} {truth.change(measure):+.4f}" for measure in truth.reference)
        yield f"  fidelity {row.fidelity:g}: {row.psnr_db:.1f} dB to float32; against the truth {changes}"


def _summary(verdict: Verdict) -> list[dict[str, object]]:
    """One record a fidelity, in figures that a person can read."""
    return [
        {
            "fidelity": row.fidelity,
            "psnr_to_fp32_db": round(row.psnr_db, 2),
            "mean_shift": round(row.mean_shift, 4),
            **{f"{measure}_change": round(truth.change(measure), 5) for measure in truth.reference},
        }
        for row, truth in zip(verdict.rows, verdict.truth, strict=True)
    ]
