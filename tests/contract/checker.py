"""Holds the uses of names against listings of several versions. It proves names and arguments, not behaviour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tests.contract.listing import Entry, Listing
from tests.contract.used_names import CALL, Use


def missing(uses: Iterable[Use], listings: Mapping[str, Listing], *, file: str = "") -> list[str]:
    """A line for each use that some version does not take, saying which; an optional name has to be in one."""
    lines = []
    for use in uses:
        faults = {version: fault for version, listing in listings.items() if (fault := _fault(use, listing))}
        if not faults or (use.optional and len(faults) < len(listings)):
            continue
        for fault in dict.fromkeys(faults.values()):
            versions = ", ".join(version for version in faults if faults[version] == fault)
            lines.append(f"{file}:{use.line}: {fault} in TensorRT {versions}")
    return lines


def _fault(use: Use, listing: Listing) -> str:
    """What this version has against it; "" also where the path leaves what can be followed."""
    key = ""
    namespace: str | None = ""  # whose members the next part is looked up in; None where that is not known
    for part in use.path:
        if part == CALL:
            namespace = listing[key]["type"]
            continue
        if namespace is None or (key and namespace not in listing) or part.startswith("__"):
            return ""  # an integer, a list, what a docstring does not tell; __init__ and the like are Python's
        key = f"{namespace}.{part}" if namespace else part
        if key not in listing:
            return f"trt.{key} is missing"
        namespace = listing[key]["type"] if listing[key]["kind"] != "callable" else None
    return _call_fault(use, key, listing[key]) if use.keywords is not None else ""


def _call_fault(use: Use, key: str, entry: Entry) -> str:
    faults = [_misfit(use, signature) for signature in entry["signatures"]]
    return f"trt.{key} {faults[0]}" if faults and all(faults) else ""


def _misfit(use: Use, signature: list[list[object]]) -> str:
    """What keeps the call from fitting this overload."""
    names = [str(name) for name, _ in signature]
    if any(name.startswith("*") for name in names):
        return ""
    assert use.keywords is not None and use.positional is not None
    if unknown := [keyword for keyword in use.keywords if keyword not in names]:
        return f"has no argument {unknown[0]}"
    if use.positional > len(names):
        return f"takes {len(names)} arguments, not {use.positional}"
    given = {*names[: use.positional], *use.keywords}
    needed = [str(name) for name, has_default in signature if not has_default and name not in given]
    return f"needs the argument {needed[0]}" if needed else ""
