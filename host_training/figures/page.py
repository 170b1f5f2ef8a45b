"""The index page: one HTML file that needs no other, on a phone or a desk, by day or by night."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from edge_sr.image.compare import NOTICE
from edge_sr.image.png import encode_png
from host_training.figures.markdown import html_of
from host_training.figures.parts import Drawing, Group, Part, Photograph, Section
from host_training.figures.results import Json
from host_training.figures.style import css_variables, inline

CSS = """
:root { color-scheme: light dark; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 80rem; padding: 1rem 1rem 4rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.35rem; margin: 3rem 0 .5rem; padding-top: .75rem; border-top: 2px solid var(--grid); }
h3 { font-size: 1.1rem; margin: 2rem 0 .25rem; }
h4 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, dl { max-width: 46rem; margin: .25rem 0 1rem; }
a { color: var(--blue); }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; padding: 0; list-style: none; }
.notice { border-left: .4rem solid var(--orange); padding: .5rem .75rem; font-weight: 600; }
.absent { color: var(--grey); }
.figures { display: grid; gap: 1.25rem 1.5rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr)); }
.figures > .full, .figures > p { grid-column: 1 / -1; margin: 0; }
figure { margin: 0; min-width: 0; }
figcaption { font-weight: 600; margin-bottom: .25rem; }
svg { display: block; width: 100%; max-width: calc(1.15 * var(--width)); height: auto; }
svg * { stroke-linejoin: round; stroke-linecap: butt; }
.scroll { overflow-x: auto; max-width: 100%; }
.scroll img { display: block; width: 100%; min-width: 50rem; max-width: 100rem; height: auto; }
table { border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; margin: .5rem 0 1rem; }
th, td { padding: .25rem 1.25rem .25rem 0; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--grid); }
th:first-child { text-align: left; font-weight: 400; min-width: 9rem; white-space: normal;
  position: sticky; left: 0; background: var(--paper); }
thead th, thead th:first-child { font-weight: 600; vertical-align: bottom; white-space: normal; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: .15rem 1rem; font-size: .875rem; }
dt { color: var(--grey); }
dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 30rem) { dl { display: block; } dd { margin-bottom: .4rem; } }
"""


def page(record: Json, sections: Sequence[Section], svgs: Mapping[str, str], conditions: str) -> str:
    """The whole page. svgs: by the name of their drawing. conditions: Markdown above the entries of the record.

    Its bytes depend on the arguments alone.
    """
    title = f"Evaluation of {', '.join(record['bundles'])}"
    css = CSS.replace("LIGHT", css_variables(dark=False)).replace("DARK", css_variables(dark=True))
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{css}</style>\n</head>\n<body>",
            f"<header>\n<h1>{escape(title)}</h1>\n<p>{escape(_summary(record))}</p>",
            f'<p class="notice">{escape(NOTICE.capitalize())}.</p>\n</header>',
            _contents([*(section.title for section in sections), CONDITIONS]),
            "<main>",
            *(_section(number, section, svgs) for number, section in enumerate(sections)),
            _conditions(len(sections), record, conditions),
            "</main>\n</body>\n</html>\n",
        ]
    )


CONDITIONS = "Conditions"


def _summary(record: Json) -> str:
    conditions = record["conditions"]
    return f"Measured on {conditions['date'][:10]} by edge-sr {conditions['code_version']}. {record['protocol']}"


def _contents(titles: Sequence[str]) -> str:
    items = "\n".join(f'<li><a href="#s{number}">{escape(title)}</a></li>' for number, title in enumerate(titles))
    return f'<nav aria-label="Contents">\n<ul>\n{items}\n</ul>\n</nav>'


def _section(number: int, section: Section, svgs: Mapping[str, str]) -> str:
    return "\n".join(
        [
            f'<section id="s{number}">\n<h2>{escape(section.title)}</h2>',
            html_of(section.before, level=2),
            *(_group(group, svgs) for group in section.groups if group.parts),
            html_of(section.after, level=2),
            "</section>",
        ]
    )


def _group(group: Group, svgs: Mapping[str, str]) -> str:
    parts = "\n".join(_part(part, svgs) for part in group.parts)
    text = f"<p>{escape(group.text)}</p>\n" if group.text else ""
    return f'<h3>{escape(group.title)}</h3>\n{text}<div class="figures">\n{parts}\n</div>'


def _part(part: Part, svgs: Mapping[str, str]) -> str:
    if isinstance(part, str):
        return f'<p class="absent">{escape(part)}</p>'
    caption = f"<figcaption>{escape(part.title)}</figcaption>"
    if isinstance(part, Drawing):
        return f"<figure>{caption}\n{inline(svgs[part.name], name=part.name, alt=part.alt)}\n</figure>"
    return f'<figure class="full">{caption}\n{_image(part)}\n</figure>'


def _image(photograph: Photograph) -> str:
    """As a data URI: the page is one file."""
    height, width = photograph.pixels.shape[:2]
    data = base64.b64encode(encode_png(photograph.pixels, text={}, level=9)).decode("ascii")
    alt = escape(photograph.alt)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(photograph.title)}">'
        f'<img src="data:image/png;base64,{data}" width="{width}" height="{height}" alt="{alt}"></div>'
    )


def _conditions(number: int, record: Json, text: str) -> str:
    parts = [f'<section id="s{number}">\n<h2>{CONDITIONS}</h2>', html_of(text, level=2)]
    for key, bundle in record["bundles"].items():
        parts += [f"<h3>Bundle {escape(key)}</h3>", _definitions(bundle)]
    for name, of_set in record["sets"].items():
        plain = {key: value for key, value in of_set.items() if not isinstance(value, (Mapping, list))}
        parts += [f"<h3>Set {escape(name)}</h3>", _definitions(plain)]
    parts += [
        "<h3>Run</h3>",
        _definitions(record["conditions"]),
        "<h3>Intervals</h3>",
        _definitions(record["bootstrap"]),
    ]
    return "\n".join([*parts, "</section>"])


def _definitions(entries: Json) -> str:
    lines = "\n".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _flat(entries))
    return f"<dl>\n{lines}\n</dl>"


def _flat(entries: Json, above: str = "") -> Iterator[tuple[str, str]]:
    """Nested names with a comma between; None reads "none"."""
    for key, value in entries.items():
        name = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from _flat(value, f"{name}, ")
        else:
            yield name, _shown(value)


def _shown(value: Any) -> str:
    return "none" if value is None else str(value)
