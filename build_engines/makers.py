"""How the candidate of each precision is found; each function here is one value of ``edge-sr build --precision``."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from build_engines.candidate import Candidate, Workbench
from build_engines.chain_graphs import running
from build_engines.check.accuracy import FIDELITIES, Culprit, Verdict
from build_engines.precision.quantiser import Quantiser, in_fp16, judge_of
from build_engines.sensitivity.local_error import local_errors, probed
from build_engines.sensitivity.macs import effort_of
from build_engines.sensitivity.pairs import sharing
from build_engines.sensitivity.plot import sensitivity_plot
from build_engines.sensitivity.report import table_text, to_json
from build_engines.sensitivity.search import Quantised, cheapest, culprits, sensitivities
from calibration.collect import Batches
from calibration.images import CalibrationImages
from calibration.table import CalibrationTable
from edge_sr.errors import UsageError
from edge_sr.models.base import SRModel

JUDGES = 6  # pictures that convolutions are compared on: enough to rank them
SUSPECT_JUDGES = 3
HALF_NOISE = (0.5,)  # the fidelity at which convolutions are compared where pictures cost much
MOST_JUDGED = 128  # convolutions that are judged one by one; 25 unrolled steps have hundreds


@dataclass(frozen=True)
class Made:
    """What is to be published. p50_ms: of it and of what it was compared with, by precision; "reference": float32.

    files: what else is worth keeping, by name.
    """

    candidate: Candidate
    p50_ms: Mapping[str, float]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Wish:
    """table: for INT8. high: convolutions that the user wants kept out of it. threads: None takes all cores."""

    table: CalibrationTable | None = None
    high: tuple[str, ...] = ()
    threads: int | None = None

    @property
    def ranges(self) -> CalibrationTable:
        assert self.table is not None, "asked for by precisions that quantise alone"
        return self.table


def make_fp32(bench: Workbench, wish: Wish) -> Made:
    return _timed(bench, _passing(bench.candidate("fp32", bench.graphs), bench))


def make_fp16(bench: Workbench, wish: Wish) -> Made:
    return _timed(bench, _passing(bench.candidate("fp16", in_fp16(bench.graphs)), bench))


def make_int8(bench: Workbench, wish: Wish) -> Made:
    quantiser = Quantiser.of(bench.graphs, wish.ranges, bench.target.flavour)
    wish = replace(wish, high=quantiser.named(wish.high))
    candidate = bench.candidate("int8", quantiser.graphs(wish.high), high=wish.high)
    if not candidate.verdict.passed:
        raise _blamed(bench, quantiser, wish, candidate.verdict).error(_name(bench, "int8"))
    return _timed(bench, candidate)


def make_auto(bench: Workbench, wish: Wish) -> Made:
    """The fastest of float32, FP16 and INT8 whose gates hold, INT8 with as little kept high as that takes."""
    quantiser = Quantiser.of(bench.graphs, wish.ranges, bench.target.flavour)
    wish = replace(wish, high=quantiser.named(wish.high))
    high, files = _least_high(bench, quantiser, wish)
    tried = {"fp32": bench.candidate("fp32", bench.graphs)}
    try:
        tried["fp16"] = bench.candidate("fp16", in_fp16(bench.graphs))
    except UsageError as error:  # a weight that FP16 cannot hold
        bench.tell(f"fp16 is out: {error.where}: {error.what}")
    tried["int8"] = bench.candidate("int8", quantiser.graphs(high), high=high)
    for name, each in tried.items():
        if not each.verdict.passed:
            bench.tell(f"{name} is out: {'; '.join(each.verdict.reasons)}")
    passing = {name: each for name, each in tried.items() if each.verdict.passed}
    if not passing:
        raise tried["fp32"].verdict.error(_name(bench, "every precision"))
    p50_ms = bench.times(passing)
    fastest = min(passing, key=lambda name: p50_ms[name])
    return Made(passing[fastest], p50_ms, files)


MAKERS: Mapping[str, Callable[[Workbench, Wish], Made]] = {
    "fp32": make_fp32,
    "fp16": make_fp16,
    "int8": make_int8,
    "auto": make_auto,
}
QUANTISING = ("int8", "auto")


def _passing(candidate: Candidate, bench: Workbench) -> Candidate:
    if not candidate.verdict.passed:
        raise candidate.verdict.blaming((), precision=candidate.precision).error(_name(bench, candidate.precision))
    return candidate


def _timed(bench: Workbench, candidate: Candidate) -> Made:
    return Made(candidate, bench.times({candidate.precision: candidate}))


def _name(bench: Workbench, precision: str) -> str:
    manifest = bench.chain.bundle.manifest
    return f"{manifest.name}, {bench.chain}, {precision} for {bench.target.flavour}"


def _quantised(bench: Workbench, quantiser: Quantiser, wish: Wish) -> Quantised:
    """The model of a choice of convolutions, in ONNX Runtime whatever the target: rounding is the same there."""

    @contextmanager
    def opened(high: frozenset[str]) -> Iterator[SRModel]:
        graphs = quantiser.twin().graphs(high | set(wish.high))
        with running(bench.chain, graphs, judge_of(bench.target.flavour, wish.threads), precision="int8") as model:
            yield model

    return opened


def _least_high(bench: Workbench, quantiser: Quantiser, wish: Wish) -> tuple[tuple[str, ...], dict[str, bytes]]:
    """What to keep out of INT8, and the record and plot of how that was found."""
    members = _judged_together(quantiser, wish)
    quantised = _together(_quantised(bench, quantiser, wish), members)
    pictures = _some(bench.pictures, bench.effort.of(JUDGES))
    fidelities = FIDELITIES if bench.effort.full else HALF_NOISE
    every = "weights, at all steps at once," if len(members) < len(quantiser.convolutions) else "convolutions"
    asked = f"{len(pictures.lr)} pictures at fidelity {', '.join(f'{each:g}' for each in fidelities)}"
    bench.tell(f"sensitivity: each of {len(members)} {every} in INT8 by itself, on {asked}")
    found = sensitivities(list(members), quantised, bench.reference, pictures, fidelities)
    of_one = effort_of(bench.chain, quantiser.plain).macs
    costs = {name: sum(of_one[each] for each in names) for name, names in members.items()}
    chosen = cheapest(found, costs, quantised, bench.reference, _some(bench.pictures, JUDGES))
    for line in table_text(found, costs, high=chosen.high).splitlines():
        bench.tell(f"  {line}")
    record = json.dumps(to_json(found, costs, chosen), indent=1) + "\n"
    plot = sensitivity_plot(found, costs, high=chosen.high, title=_name(bench, "int8"))
    files = {"sensitivity.json": record.encode(), "sensitivity.svg": plot.encode()}
    return (*wish.high, *(each for name in chosen.high for each in members[name])), files


def _judged_together(quantiser: Quantiser, wish: Wish) -> dict[str, tuple[str, ...]]:
    """Name -> the convolutions that it stands for: one by itself, or where there are very many all of one weight."""
    rest = [name for name in quantiser.convolutions if name not in wish.high]
    if len(rest) <= MOST_JUDGED:
        return {name: (name,) for name in rest}
    shared = {weight: tuple(n for n in names if n not in wish.high) for weight, names in quantiser.by_weight.items()}
    return {weight: names for weight, names in shared.items() if names}


def _together(quantised: Quantised, members: Mapping[str, tuple[str, ...]]) -> Quantised:
    """The same, asked by the names of ``members``."""
    return lambda high: quantised(frozenset(each for name in high for each in members[name]))


def _blamed(bench: Workbench, quantiser: Quantiser, wish: Wish, verdict: Verdict) -> Verdict:
    """With the layers that hurt and what would help; with networks where no layer hurts much by itself.

    Where a picture costs much, networks alone are looked at: the probes of all layers at once take gigabytes there.
    """
    bench.tell("the gates do not hold; looking for what hurts")
    pictures = _some(bench.pictures, bench.effort.of(SUSPECT_JUDGES))
    found = _worst_layers(bench, quantiser, wish, pictures) if bench.effort.full else []
    return verdict.blaming(found or _worst_networks(bench, quantiser, wish, pictures), precision="int8")


def _worst_layers(bench: Workbench, quantiser: Quantiser, wish: Wish, pictures: CalibrationImages) -> list[Culprit]:
    paired = quantiser.twin().paired(wish.high)
    probes = {role: probed(quantiser.plain[role], graph) for role, graph in paired.items()}
    local_db = local_errors(
        lambda backend: running(bench.chain, probes, backend),
        Batches(pictures.lr, pictures.noise_seeds, size=1),
        backend=judge_of(bench.target.flavour, wish.threads),
    )
    members = _judged_together(quantiser, wish)
    stands_in = {each: name for name, names in members.items() for each in names}
    along: dict[str, set[str]] = defaultdict(set)
    for graph in paired.values():
        for name, others in sharing(graph).items():
            along[stands_in[name]] |= {stands_in[each] for each in others} - {stands_in[name]}
    return culprits(
        list(members),
        _together(_quantised(bench, quantiser, wish), members),
        bench.reference,
        pictures,
        local_db={name: min(local_db[each] for each in names) for name, names in members.items()},
        sharing=along,
    )


def _worst_networks(bench: Workbench, quantiser: Quantiser, wish: Wish, pictures: CalibrationImages) -> list[Culprit]:
    networks = {name: tuple(set(each) - set(wish.high)) for name, each in quantiser.by_network.items()}
    networks = {name: each for name, each in networks.items() if each}
    together = _together(_quantised(bench, quantiser, wish), networks)
    found = culprits(list(networks), together, bench.reference, pictures)
    return [replace(each, layers=len(networks[each.convolution])) for each in found]


def _some(pictures: CalibrationImages, count: int) -> CalibrationImages:
    return CalibrationImages(pictures.lr[:count], pictures.sha256, pictures.noise_seeds[:count])
