"""Which convolutions suffer from INT8, and which are kept out of it.

``sensitivities`` quantises one at a time; ``cheapest`` keeps the worst high until the gates hold; ``culprits`` finds
out which one made a candidate fail. All three judge end to end, on models: what a convolution's name means and how a
model is made of a choice of them is the caller's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from build_engines.check.accuracy import FIDELITIES, GATES, Culprit, Gates, Verdict, judge
from build_engines.check.comparison import Answer, answers, compare, decibels
from calibration.images import CalibrationImages
from edge_sr.models.base import SRModel

SUSPECTS = 6  # convolutions that culprits looks at end to end, where it knows their local errors
LEAST_WON_DB = 0.5  # less is no culprit: every INT8 layer costs something
ALIKE = 0.5  # of the largest win in dB: with others kept high too, a win of so much may be due to the same layer
CULPRIT_FIDELITIES = (1.0, 0.0)  # the ends; what hurts at neither hurts nowhere

Quantised = Callable[[frozenset[str]], AbstractContextManager[SRModel]]
"""Convolutions to keep high -> the model in which all others are quantised."""
Tell = Callable[[int, int], None]
"""Told of progress: how many of how many runs are done."""


def untold(done: int, of: int) -> None:
    """Tells nobody."""


@dataclass(frozen=True)
class Sensitivity:
    """One convolution quantised alone. mean_square: of the error end to end at all fidelities, pictures in [0, 1]."""

    convolution: str
    mean_square: float

    @property
    def psnr_db(self) -> float:
        return decibels(self.mean_square)


@dataclass(frozen=True)
class Trial:
    """What came out with so many convolutions kept high. psnr_db: at the fidelity that fares worst."""

    high: int
    psnr_db: float
    passed: bool


@dataclass(frozen=True)
class Assignment:
    """high: the convolutions kept out of INT8, the most harmful for their cost first. tried: in order.

    verdict: of this choice. It has not passed where even keeping all of them high does not hold the gates.
    """

    high: tuple[str, ...]
    verdict: Verdict
    tried: tuple[Trial, ...]


def sensitivities(
    convolutions: Sequence[str],
    quantised: Quantised,
    reference: SRModel,
    pictures: CalibrationImages,
    fidelities: Sequence[float] = FIDELITIES,
    *,
    tell: Tell = untold,
) -> list[Sensitivity]:
    """Each convolution quantised alone, all others high; in the order they came."""
    expected = list(answers(reference, pictures, fidelities))
    found = []
    for number, name in enumerate(convolutions):
        mean_square = _mean_square(quantised, frozenset(convolutions) - {name}, expected, pictures, fidelities)
        found.append(Sensitivity(name, mean_square))
        tell(number + 1, len(convolutions))
    return found


def ranked(found: Iterable[Sensitivity], macs: Mapping[str, int]) -> list[str]:
    """The convolutions by error for each multiply-accumulate, the largest first: what to keep high in this order."""
    return [each.convolution for each in sorted(found, key=lambda each: -each.mean_square / macs[each.convolution])]


def cheapest(
    found: Sequence[Sensitivity],
    macs: Mapping[str, int],
    quantised: Quantised,
    reference: SRModel,
    pictures: CalibrationImages,
    gates: Gates = GATES,
    *,
    fidelities: Sequence[float] = FIDELITIES,
    tell: Tell = untold,
) -> Assignment:
    """One greedy pass: as few of the ranking kept high as hold the gates, found by bisection."""
    order = ranked(found, macs)
    expected = list(answers(reference, pictures, fidelities))
    verdicts: dict[int, Verdict] = {}

    def holds(count: int) -> bool:
        with quantised(frozenset(order[:count])) as model:
            verdicts[count] = judge(compare(expected, answers(model, pictures, fidelities)), gates=gates)
        tell(len(verdicts), len(order).bit_length() + 2)
        return verdicts[count].passed

    least = 0 if holds(0) else _bisect(holds, 0, len(order))
    if least not in verdicts:
        holds(least)
    tried = tuple(Trial(count, verdict.psnr_db, verdict.passed) for count, verdict in verdicts.items())
    return Assignment(tuple(order[:least]), verdicts[least], tried)


def _bisect(holds: Callable[[int], bool], fails: int, most: int) -> int:
    """The least count that holds, above one that fails; ``most`` where none below it does."""
    while most - fails > 1:
        middle = (fails + most) // 2
        if holds(middle):
            most = middle
        else:
            fails = middle
    return most


def culprits(
    convolutions: Collection[str],
    quantised: Quantised,
    reference: SRModel,
    pictures: CalibrationImages,
    *,
    top: int = 3,
    local_db: Mapping[str, float] | None = None,
    sharing: Mapping[str, Collection[str]] | None = None,
    fidelities: Sequence[float] = CULPRIT_FIDELITIES,
    tell: Tell = untold,
) -> list[Culprit]:
    """The convolutions that win most where each is kept high, the worst first; none where none wins much.

    local_db, sharing: see ``local_error`` and ``pairs``. With the first the SUSPECTS worst by it are tried; with the
    second a convolution is kept high with all that hold its grids, for else they would stay. A few pictures do.
    """
    local, along = local_db or {}, sharing or {}
    suspects = sorted((name for name in convolutions if name in local), key=local.__getitem__)[:SUSPECTS]
    suspects = suspects or list(convolutions)
    expected = list(answers(reference, pictures, fidelities))
    whole_db = decibels(_mean_square(quantised, frozenset(), expected, pictures, fidelities))
    found = []
    for number, name in enumerate(suspects):
        others = tuple(sorted(along.get(name, ())))
        psnr_db = decibels(_mean_square(quantised, frozenset({name, *others}), expected, pictures, fidelities))
        found.append(Culprit(name, psnr_db - whole_db, psnr_db, local.get(name), others))
        tell(number + 1, len(suspects))
    return _worst_first([each for each in found if each.won_db >= LEAST_WON_DB])[:top]


def _worst_first(found: list[Culprit]) -> list[Culprit]:
    """By what they win. Of those that win much, which hold one grid, the one with the largest error of its own."""
    most = max((each.won_db for each in found), default=0.0)

    def key(each: Culprit) -> tuple[bool, float]:
        alike = each.won_db >= ALIKE * most and each.local_db is not None
        return not alike, each.local_db if alike and each.local_db is not None else -each.won_db

    return sorted(found, key=key)


def _mean_square(
    quantised: Quantised,
    high: frozenset[str],
    expected: list[Answer],
    pictures: CalibrationImages,
    fidelities: Sequence[float],
) -> float:
    """Over all fidelities alike; 1 where the pictures hold NaN or Inf."""
    with quantised(high) as model:
        rows = compare(expected, answers(model, pictures, fidelities))
    return sum(10 ** (-row.psnr_db / 10) for row in rows) / len(rows)
