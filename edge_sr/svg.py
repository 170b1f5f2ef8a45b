"""The few SVG elements that our plots are made of.

Written by hand, so that a device can draw too: lines, bars and labels need no plotting package. A colour may also be
``var(--name)``, where the page around the picture says what that is.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

GREY, BLUE, ORANGE = "#8a8f98", "#3b73b9", "#d9822b"


def document(width: int, height: int, content: Iterable[str]) -> str:
    """The whole file, on white."""
    style = 'font-family="sans-serif" font-size="10" fill="#222"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" {style}>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        *content,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def inline(width: float, height: float, content: Iterable[str], *, name: str, title: str, description: str) -> str:
    """An element for a page, as wide as its place there. name: of its own on that page. title and description are
    read aloud in its stead; the title shows when pointed at.
    """
    opening = f'<svg viewBox="0 0 {width:g} {height:g}" role="img" aria-labelledby="{name}-title {name}-desc">'
    told = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return "".join([opening, told, *content, "</svg>"])


def at(x: int, y: int, content: str) -> str:
    return f'<g transform="translate({x},{y})">{content}</g>'


def rect(x: float, y: float, width: float, height: float, colour: str, *, tip: str = "") -> str:
    """tip: shows when pointed at."""
    start = f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{colour}"'
    return f"{start}><title>{escape(tip)}</title></rect>" if tip else f"{start}/>"


def circle(x: float, y: float, radius: float, colour: str, *, tip: str = "") -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"><title>{escape(tip)}</title></circle>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str = "#ddd", *, width: float = 1) -> str:
    thick = f' stroke-width="{width:g}"' if width != 1 else ""
    return f'<line x1="{x1:g}" x2="{x2:g}" y1="{y1:g}" y2="{y2:g}" stroke="{colour}"{thick}/>'


def polyline(points: Iterable[tuple[float, float]], colour: str, *, width: float = 1.5, attributes: str = "") -> str:
    joined = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width:g}" {attributes}/>'


def text(x: float, y: float, words: str, attributes: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" {attributes}>{escape(words)}</text>'


def legend(entries: Iterable[tuple[str, str]], *, y: int, spacing: int = 130) -> Iterable[str]:
    """(label, colour) after one another; y: of their upper edge."""
    for n, (label, colour) in enumerate(entries):
        yield rect(10 + spacing * n, y, 10, 10, colour)
        yield text(25 + spacing * n, y + 9, label)
