"""The Markdown of ``evaluation/tables.py`` as HTML: headings, tables and paragraphs, no more."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape


def split_at(heading: str, markdown: str) -> tuple[str, dict[str, str]]:
    """What stands before the first line that begins with ``heading``, and the text below each such line, by its title.

    heading: such as "### ", the space included.
    """
    before, *parts = f"\n{markdown}".split(f"\n{heading}")
    below = {title.strip(): text for title, _, text in (part.partition("\n") for part in parts)}
    return before.strip(), below


def html_of(markdown: str, *, level: int) -> str:
    """level: of the heading that stands above; a heading of the text becomes one below it."""
    blocks = [block.splitlines() for block in markdown.split("\n\n") if block.strip()]
    return "\n".join(_block([line for line in block if line], level) for block in blocks)


def _block(lines: Sequence[str], level: int) -> str:
    if lines[0].startswith("#"):
        return f"<h{level + 1}>{escape(lines[0].lstrip('# '))}</h{level + 1}>"
    if lines[0].startswith("| "):
        header, _, *rows = ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)
        return table(header, rows)
    return f"<p>{escape(' '.join(lines))}</p>"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In a container of its own, which scrolls where the page is narrow. The first cell of a row is its heading."""
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in header)
    body = "\n".join(
        f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in rest) + "</tr>"
        for first, *rest in rows
    )
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(header[0])}">\n<table>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )
