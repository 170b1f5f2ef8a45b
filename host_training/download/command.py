"""``edge-sr-host download``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import click

from edge_sr.cli.exit_codes import report
from edge_sr.cli.lazy_group import examples
from edge_sr.errors import InputError, IntegrityError, UsageError
from host_training.download.bring import Plan, bring, plan, space_needed
from host_training.download.fetch import Patience
from host_training.download.listing import NIH_CHESTXRAY14, Entry, Listing, parse_numbers, read_listing
from host_training.download.place import Place
from host_training.download.progress import size_text
from host_training.download.space import free_bytes, need_space


@click.command(
    epilog=examples(
        "edge-sr-host download --dry-run",
        "edge-sr-host download --first 1",
        "edge-sr-host download --only 2,5-7 --out /data/chestxray14",
        "edge-sr-host download --all --keep-archives",
        "edge-sr-host download --all --from my-list.json --out my-data",
    )
)
@click.option("--only", metavar="NUMBERS", help="These archives, counted from 1: 1,3,5-7.")
@click.option("--first", type=click.IntRange(min=1), metavar="N", help="The first N archives.")
@click.option("--all", "everything", is_flag=True, help="All archives.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("chestxray14"),
    show_default=True,
    help="Folder to fill; made where it is missing.",
)
@click.option("--keep-archives", is_flag=True, help="Leave the archives in OUT/archives after unpacking.")
@click.option("--dry-run", is_flag=True, help="Only tell what would be fetched, how large it is, and the free space.")
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=NIH_CHESTXRAY14,
    help="Another list of archives; host_training/download/nih_archives.json shows the format.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 1000),
    default=Patience.retries,
    show_default=True,
    help="Attempts in a row that may bring nothing new.",
)
@click.option(
    "--retry-wait",
    type=click.FloatRange(0, 300),
    default=Patience.wait_s,
    show_default=True,
    help="Seconds before the first retry; each further one waits twice as long, a minute at most.",
)
@click.pass_context
def download(
    ctx: click.Context,
    only: str | None,
    first: int | None,
    everything: bool,
    out: Path,
    keep_archives: bool,
    dry_run: bool,
    source: Path,
    retries: int,
    retry_wait: float,
) -> None:
    """Fetch archives of NIH ChestX-ray14, check them, and unpack the pictures into OUT/images.

    The metadata file comes along. Stopped in any way, the same command goes on where it was; what is there already is
    neither fetched again nor written over. All twelve archives are 42 GiB, and as much again once unpacked.
    """
    listing = read_listing(source)
    place = Place(out)
    everything |= dry_run and only is None and first is None
    plans = [plan(entry, place) for entry in _chosen(listing, only, first, everything=everything)]
    needed = space_needed(plans, keep_archives=keep_archives)
    if dry_run:
        _tell(listing, plans, out, needed)
        return
    need_space(out, needed, what="this choice")
    click.echo(f"{listing.name}, from {listing.page}\n{listing.terms}", err=True)
    patience = Patience(retries, retry_wait)
    codes = []
    try:
        with place.claimed():
            for each in plans:
                codes.append(_bring(each.entry, place, patience, keep_archives=keep_archives))
    except KeyboardInterrupt:
        click.echo("stopped; the same command goes on from here", err=True)
        raise
    ctx.exit(max(codes, default=0))


def _chosen(listing: Listing, only: str | None, first: int | None, *, everything: bool) -> tuple[Entry, ...]:
    count = len(listing.archives)
    choices = (only is not None) + (first is not None) + everything
    if choices != 1:
        problem = "more than one choice of archives" if choices else "no archives chosen"
        raise UsageError(problem, expected=f"one of --only, --first and --all ({count} archives)", hint="--first 1")
    return listing.chosen(parse_numbers(only) if only is not None else range(1, (first or count) + 1))


def _bring(entry: Entry, place: Place, patience: Patience, *, keep_archives: bool) -> int:
    """The exit code of one entry. A file that cannot be had does not keep the others from coming."""
    try:
        outcome = bring(entry, place, patience=patience, keep_archives=keep_archives)
    except (InputError, IntegrityError) as fault:
        return report(fault)
    click.echo(f"{entry.name}: {outcome}")
    return 0


def _tell(listing: Listing, plans: list[Plan], out: Path, needed: int) -> None:
    click.echo(f"{listing.name}, from {listing.page}, into {out}")
    for each in plans:
        size = "size unknown" if each.entry.size is None else size_text(each.entry.size)
        host = urlsplit(each.entry.urls[0]).netloc
        click.echo(f"  {each.entry.name:<26} {size:>12}  {_intent(each):<28} {host}")
    click.echo(f"to fetch: {size_text(sum(each.to_fetch or 0 for each in plans))}")
    free = free_bytes(out)
    verdict = "" if needed <= free else "  NOT ENOUGH: choose fewer archives, or another --out"
    click.echo(f"disk space: {size_text(needed)} needed, {size_text(free)} free{verdict}")


def _intent(each: Plan) -> str:
    if each.done:
        return "there already"
    if each.to_fetch == 0:
        return "fetched, not yet unpacked" if each.entry.is_archive else "there already, unchecked"
    return f"goes on from {size_text(each.have)}" if each.have else "comes whole"
