"""A table, and its three ways out: for a page, for a README, for a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape


@dataclass(frozen=True)
class Table:
    """rows: cells in words, the first of which names the row. note: a sentence or two below it."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def html(self) -> str:
        head = "".join(f'<th scope="col">{escape(column)}</th>' for column in self.columns)
        body = "".join(
            f'<tr><th scope="row">{escape(row[0])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in self.rows
        )
        note = f'<p class="note">{escape(self.note)}</p>' if self.note else ""
        table = (
            f"<table><caption>{escape(self.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )
        label = escape(self.title, quote=True)
        return f'<div class="wide" role="region" tabindex="0" aria-label="{label}">{table}</div>{note}'

    def markdown(self) -> str:
        """Without the title."""
        rule = ("---", *["---:"] * (len(self.columns) - 1))
        lines = [f"| {' | '.join(row)} |" for row in (tuple(map(in_markdown, self.columns)), rule)]
        lines += [f"| {' | '.join(map(in_markdown, row))} |" for row in self.rows]
        return "\n".join(lines) + (f"\n\n{in_markdown(self.note)}" if self.note else "") + "\n"

    def text(self) -> str:
        """Without the title, in columns."""
        whole = [tuple(map(one_line, row)) for row in (self.columns, *self.rows)]
        widths = [max(map(len, column)) for column in zip(*whole, strict=True)]
        return "\n".join(_aligned(row, widths) for row in whole) + "\n"


def only_filled(table: Table) -> Table:
    """Without the columns in which no row has anything."""
    kept = [n for n in range(len(table.columns)) if n == 0 or any(row[n].strip("– ") for row in table.rows)]
    columns = tuple(table.columns[n] for n in kept)
    return Table(table.title, columns, tuple(tuple(row[n] for n in kept) for row in table.rows), table.note)


def in_markdown(words: str) -> str:
    """Words that may come from a bundle's name or a file: shown as they are, and nothing else."""
    told = one_line(words).replace("\\", "\\\\")
    told = told.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([|`*\[\]#!~]|(?<!\w)_|_(?!\w))", r"\\\1", told)


def one_line(words: str) -> str:
    """Line ends and control characters as spaces."""
    return "".join(each if each.isprintable() else " " for each in words)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1])] + [cell.rjust(width) for cell, width in others]
    return "  ".join(cells).rstrip()
