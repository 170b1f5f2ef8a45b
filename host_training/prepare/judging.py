"""The first pass: every candidate is decoded and judged, in parts whose findings outlive a killed run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_sr.errors import InputError
from edge_sr.image.atomic import write_atomically
from host_training.prepare.candidates import Candidate, Rejection
from host_training.prepare.parallel import in_parallel
from host_training.prepare.pictures import Reading, Recipe, judge, reason
from host_training.prepare.plan import Plan, digest, in_parts, progress


@dataclass(frozen=True)
class JudgePart:
    """Some candidates, and the file that their findings go to. Its name says what they depend on."""

    folder: Path
    recipe: Recipe
    candidates: tuple[Candidate, ...]
    findings: Path


def judged(plan: Plan, candidates: Sequence[Candidate], folder: Path, *, jobs: int) -> dict[str, Reading | Rejection]:
    """What every candidate is, by path; parts whose findings are in ``folder`` already are not judged again."""
    folder.mkdir(exist_ok=True)
    parts = [_part(plan, start, some, folder) for start, some in in_parts(candidates)]
    to_do = [part for part in parts if read_json(part.findings) is None]
    with progress("judging", len(candidates), sum(len(part.candidates) for part in to_do)) as bar:
        for done in in_parallel(judge_part, to_do, jobs=jobs):
            bar.update(done)
    return {entry["path"]: _finding(entry) for part in parts for entry in read_json(part.findings)}


def judge_part(part: JudgePart) -> int:
    """Judge some candidates, keep the findings and return how many they are."""
    entries = []
    for candidate in part.candidates:
        try:
            found = asdict(judge(part.folder / candidate.path, part.recipe))
        except InputError as error:
            found = {"reason": reason(error)}
        entries.append({"path": candidate.path, **found})
    write_atomically(part.findings, json.dumps(entries).encode(), overwrite=True)
    return len(entries)


def read_json(path: Path) -> Any:
    """What a part has written; None where it has not, or where a power cut took it."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _part(plan: Plan, start: int, some: tuple[Candidate, ...], folder: Path) -> JudgePart:
    name = f"{start:07}-{digest(asdict(plan.recipe), [asdict(candidate) for candidate in some])}.json"
    return JudgePart(plan.folder, plan.recipe, some, folder / name)


def _finding(entry: dict[str, Any]) -> Reading | Rejection:
    if "reason" in entry:
        return Rejection(**entry)
    return Reading(**{name: value for name, value in entry.items() if name != "path"})
