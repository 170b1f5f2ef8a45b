"""A unit file as systemd reads it: a name may stand several times, an empty value forgets those before it."""

from __future__ import annotations

from pathlib import Path


def directives(path: Path, section: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    here = ""
    for line in map(str.strip, path.read_text("utf-8").splitlines()):
        if line.startswith("["):
            here = line.strip("[]")
        elif here == section and line and line[0] not in "#;":
            name, _, value = line.partition("=")
            found[name] = [*found.get(name, []), value] if value else [value]
    return found
