"""Is this run worse than the baseline by more than the limits allow?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_sr.bench.report.figures import WORTH
from edge_sr.bench.report.likeness import Difference, conditions_apart, pictures_apart, variants_apart
from edge_sr.bench.report.limits import Limit, Limits
from edge_sr.bench.schema import Report, Variant
from edge_sr.errors import UsageError

BASELINE = "--baseline"


@dataclass(frozen=True)
class Regression:
    """One figure of one variant that became worse by more than its limit."""

    key: str
    title: str
    limit: Limit
    baseline: float
    now: float

    def __str__(self) -> str:
        figure = self.limit.figure
        told = f"{figure.told(self.baseline)} -> {figure.told(self.now)} {figure.unit}".rstrip()
        return f"{self.title}: {figure.name} {told} ({figure.change(self.baseline, self.now)}, allowed: {self.limit})"


def regressions(baseline: Report, report: Report, limits: Limits) -> tuple[Regression, ...]:
    """All of them, in the order of the baseline's variants; () where the report stands.

    Variants that only one of them has are not judged. UsageError, which names what is to blame, where the two were made
    under unlike conditions, have no variant in common, or a figure was measured in the baseline and not now, or never.
    """
    _refuse(list(conditions_apart(baseline, report)), "")
    pairs = [(old, new) for old in baseline.variants if (new := report.variant(old.key)) is not None]
    if not pairs:
        known = ", ".join(variant.key for variant in baseline.variants) or "none"
        raise UsageError("no variant of the baseline is in this run", where=BASELINE, expected=f"one of: {known}")
    for limit in limits.values():
        if all(limit.figure.of(old) is None for old, _ in pairs):
            raise UsageError(f"{limit.figure.name} was not measured in the baseline", where=BASELINE)
    return tuple(found for old, new in pairs for found in _regressed(old, new, limits))


def _regressed(old: Variant, new: Variant, limits: Limits) -> Iterator[Regression]:
    _refuse(list(variants_apart(old, new)), old.key)
    if any(limit.figure.kind == WORTH for limit in limits.values()):
        _refuse(list(pictures_apart(old, new)), old.key)
    for limit in limits.values():
        before, now = limit.figure.of(old), limit.figure.of(new)
        if before is None:
            continue
        if now is None:
            what = f"{limit.figure.name} was not measured, the baseline has it"
            raise UsageError(what, where=old.key, hint="the options of the baseline's run")
        if not limit.allows(before, now):
            yield Regression(old.key, new.title, limit, before, now)


def _refuse(apart: list[Difference], where: str) -> None:
    binding = [str(each) for each in apart if each.binding]
    if binding:
        what = f"made under unlike conditions: {'; '.join(binding)}"
        raise UsageError(what, where=where or BASELINE, hint="a baseline from this machine, in this state")
