"""The ranges of a chain's activations: observed while it runs, and the method chosen that harms each the least."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from math import prod

import click
from onnx import ModelProto

from build_engines.chain_graphs import Graphs, activation_grid, observed_tensors, running
from build_engines.onnx_check import shapes
from build_engines.precision import Quantiser, judge_of
from build_engines.quantize import FLAVOURS
from build_engines.refine_ranges import refined_ranges
from build_engines.target import Tell
from calibration.choose import AUTO, Observed, choose, refined
from calibration.collect import BATCH, FIDELITIES, Batch, Batches, collect, exposed
from calibration.images import CalibrationImages
from calibration.table import CalibrationTable, Origin, TensorRanges
from edge_sr.artifacts.chain import Chain
from edge_sr.backends.onnxrt import OnnxRuntime

OBSERVED_BYTES = 512 << 20  # of activations that are looked at in one call

Observations = Mapping[str, Observed]
"""tensor -> what was seen of it."""


def calibrated(
    chain: Chain, graphs: Graphs, pictures: CalibrationImages, *, method: str = AUTO, threads: int | None = None
) -> CalibrationTable:
    """The table of a chain and its float32 graphs; a bar on stderr where that is a terminal."""
    return table_of(chain, pictures, observe(chain, graphs, pictures, threads=threads), method=method)


def observe(
    chain: Chain, graphs: Graphs, pictures: CalibrationImages, *, threads: int | None = None
) -> dict[str, Observed]:
    """Every activation that may be quantised, over all pictures, fidelities and steps."""
    wanted = {role: observed_tensors(model) for role, model in graphs.items()}
    seen_through = {role: exposed(model, wanted[role]) for role, model in graphs.items()}
    size = _batch_of(max(_bytes(model, wanted[role]) for role, model in graphs.items()))
    with _progress(Batches(pictures.lr, pictures.noise_seeds, size=size)) as batches:
        return collect(
            lambda backend: running(chain, seen_through, backend),
            [name for names in wanted.values() for name in names],
            batches,
            # Not spinning: between two calls the histograms want the cores.
            backend=OnnxRuntime(threads, spinning=False),
        )


def table_of(
    chain: Chain, pictures: CalibrationImages, observed: Observations, *, method: str = AUTO
) -> CalibrationTable:
    """The ranges by one method, or by that of the least error for each tensor."""
    manifest = chain.bundle.manifest
    origin = Origin(
        graph_sha256=chain.sha256,
        model=f"{manifest.name} {manifest.version}",
        sampler=chain.sampler,
        steps=chain.steps,
        images_sha256=pictures.sha256,
        images=len(pictures.lr),
        fidelities=FIDELITIES,
        method=method,
    )
    grids = {flavour.symmetric: activation_grid(flavour) for flavour in FLAVOURS.values()}
    tensors = {
        name: TensorRanges.of(
            seen.whole,
            asymmetric=choose(seen, grids[False], method),
            symmetric=choose(seen, grids[True], method),
        )
        for name, seen in observed.items()
    }
    return CalibrationTable(origin, tensors)


def refine(
    table: CalibrationTable,
    chain: Chain,
    graphs: Graphs,
    pictures: CalibrationImages,
    observed: Observations,
    *,
    threads: int | None = None,
    tell: Tell,
) -> CalibrationTable:
    """The table with the ranges of both kinds of grid found by their effect on the picture; takes minutes."""
    with running(chain, graphs, OnnxRuntime(threads, spinning=False)) as reference:
        for flavour in FLAVOURS.values():
            quantiser = Quantiser.of(graphs, table, flavour.name)
            if flavour.name == "onnxruntime":  # which of first and last ones may be INT8 is found out with these ranges
                quantiser = replace(quantiser, kept=frozenset())
            opened = partial(running, chain, backend=judge_of(flavour.name, threads))
            changed = refined_ranges(quantiser, reference, opened, pictures, tell=tell)
            grid = activation_grid(flavour)
            kind = "symmetric" if flavour.symmetric else "asymmetric"
            choices = {name: refined(observed[name], grid, *limits) for name, limits in changed.items()}
            table = table.with_choices(kind, choices)
    return table


def _batch_of(observed: int) -> int:
    """Pictures a call. observed: bytes of all that is looked at in one picture, which are in memory at once."""
    return max(1, min(BATCH, OBSERVED_BYTES // max(observed, 1)))


def _bytes(model: ModelProto, tensors: Collection[str]) -> int:
    """Of these float32 tensors for one picture; those of open sides count as nothing."""
    known = shapes(model)
    axes = [known[name].type.tensor_type.shape.dim for name in tensors if name in known]
    return 4 * sum(prod(axis.dim_value for axis in each[1:]) for each in axes)


@contextmanager
def _progress(batches: Batches) -> Iterator[Iterable[Batch]]:
    if sys.stderr.isatty():
        with click.progressbar(batches, length=len(batches), label="observing", file=sys.stderr) as bar:
            yield bar
    else:
        yield batches
