"""What to build: the inputs of both passes, and what is decided between them."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

from edge_sr import __version__
from edge_sr.errors import UsageError
from host_training.data.protocol import HR_SIDE, SCALE, SPLITS, Shares, split_of
from host_training.data.store import Row
from host_training.prepare.candidates import Candidate, Rejection
from host_training.prepare.pictures import Reading, Recipe

PART = 32  # pictures; at most so much has a process that was killed to do again

Item = TypeVar("Item")


@dataclass(frozen=True)
class Plan:
    """shares: percent of the patients in train, validation and test. options: of the selection, for the record only."""

    folder: Path
    recipe: Recipe
    layout: str
    source: str
    shares: Shares
    options: Mapping[str, object]

    def sides(self) -> dict[str, int]:
        """Of what is kept of each picture."""
        pair = {"hr": HR_SIDE, "lr": HR_SIDE // SCALE}
        return {"pictures": self.recipe.side, **pair} if self.layout == "store" else pair


def decided(
    plan: Plan, candidates: Sequence[Candidate], findings: Mapping[str, Reading | Rejection]
) -> tuple[list[Row], list[Rejection]]:
    """The rows of the store, and what is left out of it, both in the order of the candidates.

    findings: by path. Of files with the same pixels the first stays, one whose patient is known before the others; of
    files that would be written under one name the first.
    """
    rows: list[Row] = []
    left: list[Rejection] = []
    counts: Counter[str] = Counter()
    original = _originals(candidates, findings)
    name_of: dict[str, str] = {}
    for candidate in candidates:
        finding = findings[candidate.path]
        if isinstance(finding, Rejection):
            left.append(finding)
            continue
        row = _row(plan, candidate, finding)
        if (first := original[finding.pixels_sha256]) != row.path:
            left.append(Rejection(row.path, f"duplicate: the same pixels as {first}"))
        elif plan.layout == "folders" and (first := name_of.setdefault(row.name, row.path)) != row.path:
            left.append(Rejection(row.path, f"name taken: {row.name} is made of {first}"))
        else:
            rows.append(replace(row, index=counts[row.split]))
            counts[row.split] += 1
    return rows, left


def counted(rows: Sequence[Row], left: Sequence[Rejection]) -> dict[str, Any]:
    """Pictures and patients by split, and files left out by reason, the most frequent reason first."""
    patients = {split: len({row.patient_id for row in rows if row.split == split}) for split in SPLITS}
    kinds = Counter(rejection.kind for rejection in left)
    return {
        "pictures": {split: sum(row.split == split for row in rows) for split in SPLITS},
        "patients": patients,
        "rejected": dict(sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))),
    }


def parse_shares(text: str) -> Shares:
    """``"70/20/10"``: percent of the patients, whole numbers that add up to 100. Raises UsageError."""
    parts = text.split("/")
    if len(parts) != len(SPLITS) or not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"cannot read {text!r}", where="--split", expected="TRAIN/VALIDATION/TEST such as 70/20/10")
    train, validation, test = map(int, parts)
    if train + validation + test != 100:
        raise UsageError(f"{text} adds up to {train + validation + test}", where="--split", expected="100")
    return train, validation, test


def digest(*values: object) -> str:
    """A short name for what a result depends on; the version of the code is always part of it."""
    return hashlib.sha256(json.dumps([__version__, *values], sort_keys=True).encode()).hexdigest()[:16]


def recipe_of(plan: Plan) -> dict[str, Any]:
    """What the pixels of a store depend on, files apart."""
    return {**asdict(plan.recipe), "layout": plan.layout}


def in_parts(items: Sequence[Item]) -> Iterator[tuple[int, tuple[Item, ...]]]:
    """Runs of ``PART`` items, each with the number of its first."""
    for start in range(0, len(items), PART):
        yield start, tuple(items[start : start + PART])


def progress(what: str, total: int, to_do: int) -> tqdm[Any]:
    """A bar that begins where an earlier run stopped; none where nobody looks at a terminal."""
    return tqdm(desc=what, total=total, initial=total - to_do, unit="picture", disable=None)


def _originals(candidates: Sequence[Candidate], findings: Mapping[str, Reading | Rejection]) -> dict[str, str]:
    """sha256 of the pixels -> the path of the file that stays."""
    original: dict[str, str] = {}
    for candidate in sorted(candidates, key=lambda candidate: not candidate.patient_id):  # stable: else as they come
        finding = findings[candidate.path]
        if isinstance(finding, Reading):
            original.setdefault(finding.pixels_sha256, candidate.path)
    return original


def _row(plan: Plan, candidate: Candidate, reading: Reading) -> Row:
    # Of the pixels, not of the name: a picture of nobody known stays on its side when its file is renamed.
    patient_id = candidate.patient_id or f"picture-{reading.pixels_sha256[:16]}"
    return Row(
        path=candidate.path,
        source=plan.source,
        patient_id=patient_id,
        split=split_of(patient_id, plan.shares),
        view=candidate.view,
        width=reading.width,
        height=reading.height,
        sha256=reading.sha256,
        index=0,
        note=reading.note,
    )
