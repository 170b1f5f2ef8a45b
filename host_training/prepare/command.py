"""``edge-sr-host prepare``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from edge_sr.cli.lazy_group import examples
from edge_sr.errors import UsageError
from host_training.data.degradations import DEGRADATIONS
from host_training.data.protocol import SPLITS
from host_training.data.store import LAYOUTS, REJECTED
from host_training.prepare.build import build_store, refuse_taken
from host_training.prepare.candidates import (
    NIH_PATTERN,
    NIH_PREFIX,
    Candidate,
    PatientOf,
    by_column,
    by_pattern,
    find_candidates,
)
from host_training.prepare.metadata import (
    FILE_COLUMN,
    Condition,
    Metadata,
    lacks_findings,
    parse_condition,
    read_metadata,
    view_is,
)
from host_training.prepare.parallel import cores
from host_training.prepare.pictures import SIXTEEN_BIT, Recipe
from host_training.prepare.plan import Plan, parse_shares


@click.command(
    epilog=examples(
        "edge-sr-host prepare images -o store",
        "edge-sr-host prepare images -o store --metadata Data_Entry_2017.csv --view PA --where 'Patient Age>=18'",
        "edge-sr-host prepare images -o pairs --layout folders --degradation cubic",
        "edge-sr-host prepare films -o store --patient-pattern '^([0-9a-f]+)_' --split 0/0/100",
        "edge-sr-host prepare films -o store --metadata films.csv --file-column file --patient-column patient",
    )
)
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="The store, a new folder.")
@click.option(
    "--metadata",
    "metadata_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV file with one row a picture, such as NIH's Data_Entry_2017.csv. Pictures without a row are left out.",
)
@click.option("--file-column", default=FILE_COLUMN, show_default=True, help="Its column that names the picture.")
@click.option("--view", "views", multiple=True, help="Keep this view position, PA or AP. Repeatable.")
@click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="CONDITION",
    help="Keep rows with COLUMN=VALUE; also != < <= > >= for numbers. Repeatable: all must hold.",
)
@click.option("--exclude-finding", "findings", multiple=True, help="Leave this finding label out. Repeatable.")
@click.option(
    "--patient-pattern",
    help="Regular expression whose one group is the patient id, searched for in the path below FOLDER.  "
    "[default: as NIH names its files, 00000001_000.png, which gives NIH-00000001]",
)
@click.option("--patient-column", help="Column of --metadata that holds the patient id, instead of the name.")
@click.option("--patient-prefix", help="Put before the patient id, so that those of two hospitals stay apart.")
@click.option(
    "--degradation",
    type=click.Choice(list(DEGRADATIONS)),
    default="area",
    show_default=True,
    help="How LR is made: 4x4 mean; INTER_CUBIC from the original, as published, or from HR; Real-ESRGAN's; "
    "INTER_CUBIC and a blur; MATLAB's bicubic.",
)
@click.option(
    "--side",
    type=click.Choice(["256", "512"]),
    default="512",
    show_default=True,
    help="Pixels of the stored pictures; smaller files are left out.",
)
@click.option(
    "--white",
    type=click.IntRange(255, SIXTEEN_BIT),
    default=SIXTEEN_BIT,
    show_default=True,
    help="Value of 16-bit files that becomes 255; 4095 for 12 bits in a 16-bit file.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the degradation high-order.")
@click.option(
    "--split", default="70/20/10", show_default=True, help="Percent of the patients: train, validation and test."
)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    default="store",
    show_default=True,
    help="Arrays to train from, or PNG files in HR_256 and LR_64, as published.",
)
@click.option("--source", help="Name of the data set in the listing.  [default: the name of FOLDER]")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes.  [default: all cores]")
@click.option("--dry-run", is_flag=True, help="Judge all files, say what would be kept, and write no store.")
@click.option("--overwrite", is_flag=True, help="Replace an existing store.")
@click.option("--json", "as_json", is_flag=True, envvar="EDGE_SR_PREPARE_JSON", help="Print store.json instead.")
def prepare(
    folder: Path,
    out: Path,
    metadata_file: Path | None,
    file_column: str,
    views: tuple[str, ...],
    wheres: tuple[str, ...],
    findings: tuple[str, ...],
    patient_pattern: str | None,
    patient_column: str | None,
    patient_prefix: str | None,
    degradation: str,
    side: str,
    white: int,
    seed: int,
    split: str,
    layout: str,
    source: str | None,
    jobs: int | None,
    dry_run: bool,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Make training pairs of every radiograph below FOLDER: PNG, JPEG or TIFF, 8 or 16 bit, grey.

    Each is cropped to its central square and reduced to --side. The split is a hash of the patient id: no patient is on
    two sides, and more files move nobody. What is left out stands in rejected.csv, with the reason. 16-bit files are
    scaled to 8 bit from 0 to --white. A run that was stopped goes on when it is called again.
    """
    refuse_taken(out, folder, overwrite=overwrite or dry_run)
    metadata = read_metadata(metadata_file, file_column=file_column) if metadata_file else None
    conditions = conditions_of(views, wheres, findings)
    plan = Plan(
        folder=folder,
        recipe=Recipe(degradation, int(side), seed, white),
        layout=layout,
        source=source or folder.resolve().name,
        shares=parse_shares(split),
        options={
            "metadata_sha256": metadata.sha256 if metadata else None,
            "file_column": file_column,
            "view": views,
            "where": wheres,
            "exclude_finding": findings,
            "patient_pattern": patient_pattern,
            "patient_column": patient_column,
            "patient_prefix": patient_prefix,
        },
    )
    patient_of = patient_rule(metadata, patient_pattern, patient_column, patient_prefix)
    candidates, rejections = find_candidates(folder, patient_of=patient_of, metadata=metadata, conditions=conditions)
    if warning := nobody_known(candidates):
        click.echo(warning, err=True)
    record = build_store(out, plan, candidates, rejections, jobs=jobs or cores(), dry_run=dry_run)
    click.echo(json.dumps(record, indent=1) if as_json else report(record, "nothing written" if dry_run else out))


def conditions_of(views: tuple[str, ...], wheres: Sequence[str], findings: tuple[str, ...]) -> list[Condition]:
    """What the options ask of a picture's row."""
    chosen = [view_is(views)] if views else []
    return chosen + [parse_condition(text) for text in wheres] + ([lacks_findings(findings)] if findings else [])


def patient_rule(metadata: Metadata | None, pattern: str | None, column: str | None, prefix: str | None) -> PatientOf:
    """How a picture's patient is found: by a column, by a pattern, or as NIH names its files. Raises UsageError."""
    if column is not None:
        if metadata is None or pattern is not None:
            hint = "leave one of the two out" if metadata else "--metadata FILE.csv"
            raise UsageError("asks for --metadata and no --patient-pattern", where="--patient-column", hint=hint)
        return by_column(metadata, column, prefix or "")
    if pattern is not None:
        return by_pattern(pattern, prefix or "")
    return by_pattern(NIH_PATTERN, NIH_PREFIX if prefix is None else prefix)


def nobody_known(candidates: Sequence[Candidate]) -> str:
    """A warning where pictures have no patient id, else ""."""
    unknown = [candidate.path for candidate in candidates if not candidate.patient_id]
    if not unknown:
        return ""
    return (
        f"warning: {len(unknown)} of {len(candidates)} pictures have no patient id, such as {unknown[0]}; "
        "each counts as a patient of its own, so that two pictures of one patient may stand on two sides of the split"
        "\n  try: --patient-pattern REGEX, or --metadata FILE.csv --patient-column COLUMN"
    )


def report(record: dict[str, Any], where: object) -> str:
    """Pictures and patients by split, and why files were left out."""
    pictures, patients, rejected = record["pictures"], record["patients"], record["rejected"]
    lines = [f"{where}: {sum(pictures.values())} pictures of {sum(patients.values())} patients"]
    lines += [f"  {split:<10} {pictures[split]:>7} pictures {patients[split]:>7} patients" for split in SPLITS]
    if rejected:
        lines.append(f"left out: {sum(rejected.values())} files, listed in {REJECTED}")
        lines += [f"  {count:>7} {kind}" for kind, count in rejected.items()]
    return "\n".join(lines)
