"""The files of the page, as they lie beside this module: read once, and named by what is in them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "page"
KINDS = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
INDEX, LOCKED = "index.html", "locked.html"


@dataclass(frozen=True)
class Asset:
    """tag: changes with the content, for the browser's cache."""

    content: bytes
    kind: str
    tag: str


def read_assets(folder: Path = FOLDER) -> dict[str, Asset]:
    """By file name."""
    return {path.name: _asset(path) for path in sorted(folder.iterdir()) if path.suffix in KINDS}


def _asset(path: Path) -> Asset:
    content = path.read_bytes()
    return Asset(content, KINDS[path.suffix], f'"{hashlib.sha256(content).hexdigest()[:24]}"')
