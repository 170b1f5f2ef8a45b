"""Lists what TensorRT's bindings offer, as JSON: ``python listing.py FOLDER``, where a wheel is unpacked.

It runs in a process of its own, next to stand-in libraries, and needs the standard library only. What pybind11 exposes
has no signature for ``inspect``; names, arguments and results are read from the first lines of the docstrings.

The listing maps dotted names to entries: ``kind`` (class, callable, property or value), ``type`` (of which class it or
what it returns is; "" where the docstring names none of TensorRT's) and ``signatures``, one list of [argument, has a
default] for each overload.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from types import ModuleType
from typing import Any

Entry = dict[str, Any]
Listing = dict[str, Entry]
OURS = re.compile(r"(?:\w+\.)*tensorrt\.([A-Z][\w.]*)")
BRACKETS = {"(": 1, "[": 1, "{": 1, "<": 1, ")": -1, "]": -1, "}": -1, ">": -1}


def listing(module: ModuleType) -> Listing:
    found: Listing = {}
    _add_members(found, module, "")
    return found


def _add_members(found: Listing, owner: object, prefix: str) -> None:
    for name in dir(owner):
        member = getattr(owner, name)
        if isinstance(member, ModuleType) or name.startswith("_"):
            continue
        found[prefix + name] = entry(name, member)
        if inspect.isclass(member) and member is not owner:
            found[prefix + name]["type"] = prefix + name
            _add_members(found, member, f"{prefix}{name}.")


def entry(name: str, member: object) -> Entry:
    if inspect.isclass(member):
        return {"kind": "class", "type": "", "signatures": signatures("__init__", member.__init__.__doc__)}
    if isinstance(member, property):
        return {"kind": "property", "type": result(getattr(member.fget, "__doc__", "")), "signatures": []}
    if inspect.isfunction(member) and name != "__init__":  # written in Python, in the package's __init__.py
        arguments = [[p.name, p.default is not p.empty] for p in inspect.signature(member).parameters.values()]
        return {"kind": "callable", "type": "", "signatures": [arguments]}
    if callable(member):
        doc = member.__doc__ or ""
        return {"kind": "callable", "type": result(doc), "signatures": signatures(name, doc)}
    return {"kind": "value", "type": type(member).__qualname__, "signatures": []}


def signatures(name: str, doc: str | None) -> list[list[list[Any]]]:
    """The arguments of each overload, without self. Empty where the docstring has no signature."""
    lines = re.findall(rf"^(?:\d+\. )?{re.escape(name)}\((.*)\)(?: -> .*)?$", doc or "", re.MULTILINE)
    if len(lines) > 1:
        lines = lines[1:]  # of overloads, the first line is (*args, **kwargs)
    return [[argument(part) for part in _split(line) if not re.match(r"self\b", part)] for line in lines]


def argument(text: str) -> list[Any]:
    """``flags: int = 0`` -> ["flags", True]."""
    name = re.match(r"\**\w+", text)
    return [name.group() if name else text, "=" in text]


def _split(text: str) -> list[str]:
    """At the commas outside all brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += BRACKETS.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def result(doc: str | None) -> str:
    """The class after the arrow, such as ``ICudaEngine``, where all overloads agree on one of TensorRT's."""
    results = set(re.findall(r"\) -> (.*)$", doc or "", re.MULTILINE))
    match = OURS.fullmatch(results.pop()) if len(results) == 1 else None
    return match.group(1) if match else ""


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    import tensorrt_bindings

    print(json.dumps(listing(tensorrt_bindings)))
