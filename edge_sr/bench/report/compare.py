"""Two runs against each other, variant by variant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edge_sr.bench.report.figures import FIGURES
from edge_sr.bench.report.likeness import Difference, conditions_apart, variants_apart
from edge_sr.bench.report.numbers import NONE
from edge_sr.bench.report.table import Table, in_markdown, one_line
from edge_sr.bench.report.words import SIMULATED
from edge_sr.bench.schema import Report, Variant


@dataclass(frozen=True)
class Change:
    """figure: a name of FIGURES. before, after: None where that run did not measure it."""

    figure: str
    title: str
    before: float | None
    after: float | None
    told: tuple[str, str, str]  # before, after, and after over before or less it


@dataclass(frozen=True)
class Compared:
    """One variant that both runs have. apart: what differs in how it ran, although its key is the same."""

    key: str
    title: str
    changes: tuple[Change, ...]
    apart: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """conditions: what differs between the machines and packages. new, gone: keys of the second or
    the first alone.
    """

    names: tuple[str, str]
    conditions: tuple[Difference, ...]
    variants: tuple[Compared, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]
    simulated: bool = False

    def text(self) -> str:
        return "\n".join(_told(self, plain=True)).rstrip("\n") + "\n"

    def markdown(self) -> str:
        return "\n".join(_told(self, plain=False)).rstrip("\n") + "\n"


def compare(a: Report, b: Report, *, names: tuple[str, str] = ("a", "b")) -> Comparison:
    """b against a. names: of the two files, for the columns."""
    first, second = ({variant.key: variant for variant in report.variants} for report in (a, b))
    both = tuple(_compared(first[key], second[key]) for key in first if key in second)
    new, gone = (tuple(key for key in one if key not in other) for one, other in ((second, first), (first, second)))
    return Comparison(names, tuple(conditions_apart(a, b)), both, new, gone, a.simulated or b.simulated)


def _compared(a: Variant, b: Variant) -> Compared:
    return Compared(a.key, b.title, tuple(_changes(a, b)), tuple(variants_apart(a, b)))


def _changes(a: Variant, b: Variant) -> Iterator[Change]:
    for figure in FIGURES:
        before, after = figure.of(a), figure.of(b)
        if before is None and after is None:
            continue
        change = NONE if before is None or after is None else figure.change(before, after)
        unit = f", {figure.unit}" if figure.unit and figure.unit not in figure.title else ""
        yield Change(figure.name, figure.title + unit, before, after, (figure.told(before), figure.told(after), change))


def _told(found: Comparison, *, plain: bool) -> Iterator[str]:
    words = one_line if plain else in_markdown
    if found.simulated:
        yield f"{SIMULATED}\n" if plain else f"> **{SIMULATED}**\n"
    if found.conditions:
        yield "Conditions that differ:\n" if plain else "#### Conditions that differ\n"
        yield _shown(_differences("condition", found.conditions, found.names), plain)
    else:
        yield "Conditions: alike.\n"
    for variant in found.variants:
        yield f"{words(variant.title)} [{words(variant.key)}]\n" if plain else f"#### {words(variant.title)}\n"
        if variant.apart:
            yield _shown(_differences("differs", variant.apart, found.names), plain)
        rows = tuple((change.title, *change.told) for change in variant.changes)
        yield _shown(Table("", ("figure", *found.names, "change"), rows), plain)
    if not found.variants:
        yield "No variant is in both.\n"
    for title, keys in ((f"Only in {found.names[1]}", found.new), (f"Only in {found.names[0]}", found.gone)):
        if keys:
            yield f"{words(title)}: {words(', '.join(keys))}\n"


def _differences(title: str, apart: tuple[Difference, ...], names: tuple[str, str]) -> Table:
    return Table("", (title, *names), tuple((each.name, each.before, each.after) for each in apart))


def _shown(table: Table, plain: bool) -> str:
    return table.text() if plain else table.markdown()
