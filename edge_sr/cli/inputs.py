"""Which files a run takes in, and what each of its outputs is called."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge_sr.errors import EdgeSRError, InputError, UsageError

SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
LONGEST_NAME = 255  # bytes, on every common file system
OUR_NAME = re.compile(r".*_x[2-8](_compare|_spread)?\.png", re.DOTALL)


@dataclass(frozen=True)
class Job:
    """One input file and what is made of it; compare and spread are None where that picture is not wanted."""

    source: Path
    target: Path
    compare: Path | None = None
    spread: Path | None = None

    @property
    def outputs(self) -> tuple[Path, ...]:
        beside = (path for path in (self.compare, self.spread) if path is not None)
        return (self.target, self.target.with_suffix(".json"), *beside)


@dataclass
class RunPlan:
    """jobs: what to do. faults: what cannot be done, by file or folder. skipped: what is left out, and why.

    scale: of the model, which the names of outputs tell.
    """

    scale: int = 4
    jobs: list[Job] = field(default_factory=list)
    faults: list[tuple[Path, EdgeSRError]] = field(default_factory=list)
    skipped: list[tuple[Path, str]] = field(default_factory=list)


def plan_run(
    inputs: Sequence[str],
    out: Path | None = None,
    *,
    compare: bool = False,
    compare_as: Path | None = None,
    spread: bool = False,
    overwrite: bool = False,
    scale: int = 4,
) -> RunPlan:
    """Expand files, folders and glob patterns into jobs; nothing is written.

    Without ``out`` a file's result stands beside it and a folder's in ``<folder>_x4``, 4 being ``scale``. An ``out``
    that ends in .png names the result of a single file; any other is a folder, under which the tree of a folder or
    pattern is mirrored.
    UsageError where two inputs have one output name, or an output is itself an input.
    """
    plan = RunPlan(scale)
    found = list(dict.fromkeys(pair for name in inputs for pair in _expand_or_tell(name, out, plan)))
    single = len(inputs) == 1 and len(found) <= 1 and not Path(inputs[0]).is_dir()
    if out is not None and _names_a_file(out):
        _check_one_file("-o", out, single)
        found = [(source, out) for source, _ in found]
    if compare_as is not None:
        _check_one_file("--compare-as", compare_as, single)
    for source, target in found:
        comparison = target.with_name(f"{target.stem}_compare.png") if compare else None
        deviation = target.with_name(f"{target.stem}_spread.png") if spread else None
        plan.jobs.append(Job(source, target, compare_as or comparison, deviation))
    _check_collisions(plan.jobs)
    _set_impossible_aside(plan, overwrite=overwrite)
    return plan


def _names_a_file(out: Path) -> bool:
    if out.is_file() and out.suffix.lower() != ".png":
        raise UsageError("is a file", where=out, expected="a folder, or a name that ends in .png")
    return out.suffix.lower() == ".png" and not out.is_dir()


def _check_one_file(option: str, path: Path, single: bool) -> None:
    if not single:
        raise UsageError("names one file for several inputs", where=f"{option} {path}", hint="-o FOLDER or --compare")
    if path.suffix.lower() != ".png":
        raise UsageError("is no PNG name", where=f"{option} {path}", expected="a name that ends in .png")


def _expand_or_tell(name: str, out: Path | None, plan: RunPlan) -> list[tuple[Path, Path]]:
    if not name:  # Path("") is the working folder, and "$UNSET" in a script would super-resolve all of it
        raise UsageError("an input has an empty name", expected="a file, a folder or a pattern")
    try:
        return list(_expand(name, out, plan))
    except OSError as error:  # a folder above it is closed, or the name is impossible
        plan.faults.append((Path(name), InputError(f"cannot be read ({error.strerror})", where=name)))
        return []


def _expand(name: str, out: Path | None, plan: RunPlan) -> Iterator[tuple[Path, Path]]:
    """(source, target) for each input file of one argument; what cannot be read goes to plan.faults."""
    path = Path(name)
    if path.is_dir():
        yield from _expand_folder(path, out or _folder_beside(path, plan.scale), plan)
    elif glob.has_magic(name) and not path.exists():
        yield from _expand_pattern(name, out, plan)
    else:
        yield path, (out or path.parent) / _target_name(path, plan.scale)


def _expand_folder(folder: Path, out: Path, plan: RunPlan) -> Iterator[tuple[Path, Path]]:
    faults_before = len(plan.faults)
    pictures = [path for path in _walk(folder, plan) if path.suffix.lower() in SUFFIXES]
    for path in pictures:
        if not _set_ours_aside(path, plan):
            yield path, out / path.relative_to(folder).with_name(_target_name(path, plan.scale))
    if not pictures and len(plan.faults) == faults_before:
        plan.faults.append((folder, InputError("no PNG, TIFF or JPEG in the folder", where=folder)))


def _walk(folder: Path, plan: RunPlan) -> Iterator[Path]:
    """Every visible file below a folder, in the order of the names; a folder that cannot be read becomes a fault."""

    def note(error: OSError) -> None:
        path = Path(error.filename or folder)
        plan.faults.append((path, InputError(f"cannot read the folder ({error.strerror})", where=path)))

    for parent, folders, files in os.walk(folder, onerror=note):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in folders:
            if Path(parent, name).is_symlink():  # followed, it could lead round in a circle
                plan.skipped.append((Path(parent, name), "a link to a folder"))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(parent, name)


def _expand_pattern(pattern: str, out: Path | None, plan: RunPlan) -> Iterator[tuple[Path, Path]]:
    names = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207  Path.glob refuses an absolute pattern
    matches = [Path(name) for name in names if Path(name).is_file()]
    if not matches:
        plan.faults.append((Path(pattern), InputError("no file matches", where=pattern)))
    root = _fixed_part(pattern)
    for path in matches:
        if not _set_ours_aside(path, plan):
            yield path, (out or root) / path.relative_to(root).with_name(_target_name(path, plan.scale))


def _fixed_part(pattern: str) -> Path:
    """The folders before the first wildcard: "a/b*/c.png" -> "a"."""
    fixed = Path()
    for part in Path(pattern).parts[:-1]:
        if glob.has_magic(part):
            break
        fixed /= part
    return fixed


def _folder_beside(folder: Path, scale: int) -> Path:
    """The folder "scans_x4" for "scans"; "." and ".." have no name of their own, so they are resolved first."""
    named = folder if folder.name not in ("", "..") else folder.resolve()
    if not named.name:
        raise UsageError("the root folder needs an output folder", where=folder, hint="-o OUT")
    return named.with_name(f"{named.name}_x{scale}")


def _target_name(source: Path, scale: int) -> str:
    return f"{source.stem}_x{scale}.png"


def _set_ours_aside(path: Path, plan: RunPlan) -> bool:
    """True for an output of ours: a second run over a folder must not feed on the first."""
    from edge_sr.image.png import read_text
    from edge_sr.pipeline import TEXT_KEY

    if not OUR_NAME.fullmatch(path.name):
        return False
    try:
        ours = TEXT_KEY in read_text(path)
    except (EdgeSRError, OSError):
        return False  # the run itself will say what is wrong with it
    if ours:
        plan.skipped.append((path, "an output of edge-sr"))
    return ours


def _check_collisions(jobs: Sequence[Job]) -> None:
    sources = {job.source.resolve(): job.source for job in jobs}
    owner: dict[Path, Job] = {}
    for job in jobs:
        for output in job.outputs:
            resolved = output.resolve()
            if resolved in sources:
                raise UsageError(
                    f"is an input and also an output of {job.source}", where=output, hint="-o with another folder"
                )
            if resolved in owner:
                raise UsageError(
                    f"is the output of both {owner[resolved].source} and {job.source}",
                    where=output,
                    hint="rename one of them, or run them apart with different -o folders",
                )
            owner[resolved] = job


def _set_impossible_aside(plan: RunPlan, *, overwrite: bool) -> None:
    """Jobs whose outputs exist already or cannot be named become faults before any work."""
    possible = []
    for job in plan.jobs:
        there = next((output for output in job.outputs if os.path.lexists(output)), None)
        error = None
        if any(len(os.fsencode(output.name)) > LONGEST_NAME for output in job.outputs):
            error = InputError("its output would have too long a name", where=job.source, hint="rename it")
        elif there is not None and not overwrite:
            error = InputError(f"its output {there} exists already", where=job.source, hint="--overwrite")
        if error is None:
            possible.append(job)
        else:
            plan.faults.append((job.source, error))
    plan.jobs = possible
