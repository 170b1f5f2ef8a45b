"""The ranges of a chain's activations: observed while it runs, and the method chosen that harms each the least."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from functools import partial
from math import prod

import click
from onnx import ModelProto

from build_engines.chain_graphs import Graphs, activation_grid, observed_tensors, running
from build_engines.onnx_check import shapes
from build_engines.precision.quantiser import Quantiser, judge_of
from build_engines.quantize import FLAVOURS
from build_engines.ranges.refine import refined_ranges
from build_engines.targets.base import Tell
from calibration.choose import AUTO, Observed, choose, refined
from calibration.collect import BATCH, Batch, Batches, collect, exposed, fidelities_of
from calibration.images import CalibrationImages
from calibration.table import CalibrationTable, Origin, TensorRanges
from edge_sr.artifacts.chain import Chain
from edge_sr.backends.base import Backend
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.models.base import SRModel

OBSERVED_BYTES = 1 << 30  # of activations in one call; what is more is seen in further passes over the pictures

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
    sizes = {name: size for model in graphs.values() for name, size in _observed_bytes(model).items()}
    found: dict[str, Observed] = {}
    for names in _passes(sizes):
        size = max(1, min(BATCH, OBSERVED_BYTES // max(1, sum(sizes[name] for name in names))))
        with _progress(Batches(pictures.lr, pictures.noise_seeds, fidelities_of(chain), size)) as batches:
            # Not spinning: between two calls the histograms want the cores.
            backend = OnnxRuntime(threads, spinning=False)
            found |= collect(partial(_running, chain, graphs, names), names, batches, backend=backend)
    return found


def _running(chain: Chain, graphs: Graphs, tensors: Sequence[str], backend: Backend) -> AbstractContextManager[SRModel]:
    """The model with these tensors, of any of its graphs, as further outputs."""
    own = {role: _written(model).intersection(tensors) for role, model in graphs.items()}
    seen_through = {role: exposed(model, sorted(own[role])) for role, model in graphs.items()}
    return running(chain, seen_through, backend)


def _written(model: ModelProto) -> set[str]:
    return {port.name for port in model.graph.input} | {name for node in model.graph.node for name in node.output}


def _observed_bytes(model: ModelProto) -> dict[str, int]:
    """What is observed, and the bytes of it in one picture; 0 for an input and for a tensor of open sides."""
    known = shapes(model)
    axes = {
        name: known[name].type.tensor_type.shape.dim[1:] if name in known else () for name in observed_tensors(model)
    }
    return {name: 4 * prod(axis.dim_value for axis in each) if each else 0 for name, each in axes.items()}


def _passes(sizes: Mapping[str, int]) -> Iterator[list[str]]:
    """The tensors in their order, as many at a time as are in memory at once in one picture."""
    names: list[str] = []
    total = 0
    for name, size in sizes.items():
        if names and total + size > OBSERVED_BYTES:
            yield names
            names, total = [], 0
        names.append(name)
        total += size
    yield names


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
        fidelities=fidelities_of(chain),
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


@contextmanager
def _progress(batches: Batches) -> Iterator[Iterable[Batch]]:
    if sys.stderr.isatty():
        with click.progressbar(batches, length=len(batches), label="observing", file=sys.stderr) as bar:
            yield bar
    else:
        yield batches
