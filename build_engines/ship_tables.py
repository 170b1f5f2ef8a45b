"""Calibration tables that travel inside a bundle, so that a device quantises without pictures of its own.

Beside each table the manifest says what INT8 by it costs against ground truth: a device has none, so the gates against
it are held here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from build_engines.accuracy import Verdict, against_truth, end_to_end, judge
from build_engines.calibrated import observe, refine, table_of
from build_engines.chain_graphs import Graphs, float_graphs, running
from build_engines.comparison import lr_of
from build_engines.precision import Quantiser
from build_engines.quantize import FLAVOURS
from calibration.images import CalibrationImages
from calibration.table import CalibrationTable
from edge_sr.artifacts.bundle import Bundle, extend_bundle
from edge_sr.artifacts.chain import Chain, chain_of
from edge_sr.artifacts.manifest import CalibrationFile
from edge_sr.backends.onnxrt import OnnxRuntime

STEPS = (1, 2, 4)  # of denoising, with the bundle's own sampler
END_TO_END = 24  # pictures of the truth that are also compared with float32

Tell = Callable[[str], None]


def ship_tables(
    bundle: Bundle,
    pictures: CalibrationImages,
    *,
    truth: np.ndarray | None = None,
    method: str,
    threads: int | None = None,
    tell: Tell,
) -> Bundle:
    """The bundle in its place, with a table for each of STEPS in it.

    truth: (n, 1, H, W) HR pictures that neither trained the model nor are among ``pictures``; None checks nothing.
    Raises AccuracyError, and leaves the bundle as it was, where INT8 by a table does not hold the gates.
    """
    files, listed = {}, []
    for steps in STEPS:
        chain = chain_of(bundle, steps=steps)
        graphs = float_graphs(chain)
        observed = observe(chain, graphs, pictures, threads=threads)
        table = table_of(chain, pictures, observed, method=method)
        table = refine(table, chain, graphs, pictures, observed, threads=threads, tell=tell)
        file = f"calibration/{chain.sampler}-{steps}.json"
        checked = {} if truth is None else _checked(chain, graphs, table, truth, threads, tell)
        tell(f"{file}: {len(table.tensors)} tensors")
        files[file] = table.to_bytes()
        listed.append(CalibrationFile(chain.sampler, steps, file, checked))
    return extend_bundle(bundle, files, replace(bundle.manifest, calibration=tuple(listed)))


def _checked(
    chain: Chain, graphs: Graphs, table: CalibrationTable, truth: np.ndarray, threads: int | None, tell: Tell
) -> dict[str, object]:
    """The record of the manifest: what was gated, by flavour and fidelity."""
    record: dict[str, object] = {"truth_sha256": hashlib.sha256(truth.tobytes()).hexdigest(), "pictures": len(truth)}
    with running(chain, graphs, OnnxRuntime(threads, spinning=False)) as reference:
        for flavour in FLAVOURS:
            backend = OnnxRuntime(threads, spinning=False, fused_pairs=flavour == "onnxruntime")
            quantised = Quantiser.of(graphs, table, flavour, ends=flavour == "onnxruntime").graphs()
            with running(chain, quantised, backend, precision="int8") as candidate:
                truths = against_truth(reference, candidate, truth)
                some = lr_of(truth[:END_TO_END], reference.scale)
                verdict = judge(end_to_end(reference, candidate, some), truths)
            for line in _lines(flavour, verdict):
                tell(line)
            if not verdict.passed:
                raise verdict.error(f"{chain.sampler}, {chain.steps} steps, int8 for {flavour}")
            record[flavour] = _summary(verdict)
    return record


def _lines(flavour: str, verdict: Verdict) -> Iterator[str]:
    for row, truth in zip(verdict.rows, verdict.truth, strict=True):
        changes = ", ".join(f"{measure} {truth.change(measure):+.4f}" for measure in truth.reference)
        at = f"int8 for {flavour} at fidelity {row.fidelity:g}"
        yield f"{at}: {row.psnr_db:.1f} dB to float32; against the truth {changes}"


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
