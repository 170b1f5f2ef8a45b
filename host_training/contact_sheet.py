"""``edge-sr-host contact-sheet``: a look at what a training is shown, before it is started."""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np

from edge_sr.cli.lazy_group import examples
from edge_sr.errors import EnvironmentFault, UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.data.augment import AUGMENTATIONS
from host_training.data.contact_sheet import COLUMNS, contact_sheet, degradation_sheet
from host_training.data.crops import STORED_SIDE, common_side
from host_training.data.degradations import DEGRADATIONS
from host_training.data.protocol import grey_of, listing, pictures_of
from host_training.data.store import open_store


@click.command(
    "contact-sheet",
    epilog=examples(
        "edge-sr-host contact-sheet -o sheet.png",
        "edge-sr-host contact-sheet --augment paper --seed 3 -o paper.png",
        "edge-sr-host contact-sheet --degradation high-order --count 4 -o high-order.png",
    ),
)
@click.option("--augment", type=click.Choice(list(AUGMENTATIONS)), help="Show an augmentation.  [default: edge]")
@click.option("--degradation", type=click.Choice(list(DEGRADATIONS)), help="Show a degradation instead.")
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="EDGE_SR_DATA",
    help="Data folder or prepared store; shown are pictures of its training split. Also EDGE_SR_DATA.  "
    "[default: phantoms]",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Other pictures, other draws.")
@click.option("--count", type=click.IntRange(1, 60), default=COLUMNS, show_default=True, help="Number of pictures.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, metavar="SHEET.png", help="File to write.")
@click.option("--overwrite", is_flag=True, help="Replace a file that exists.")
def contact_sheet_command(
    augment: str | None, degradation: str | None, data: Path | None, seed: int, count: int, out: Path, overwrite: bool
) -> None:
    """Draw pictures, what an augmentation makes of them, and the LR made from that.

    Without a data folder the pictures are synthetic phantoms, so that the sheet may be shown to anyone.
    """
    if augment and degradation:
        raise UsageError("--augment and --degradation exclude each other", expected="one of them")
    pictures = training_pictures(data, seed=seed, count=count) if data else phantoms(seed=seed, count=count)
    if degradation:
        sheet = degradation_sheet(pictures, degradation=degradation, seed=seed, count=count)
    else:
        sheet = contact_sheet(pictures, augment=augment or "edge", seed=seed, count=count)
    subject = f"{degradation or augment or 'edge'}, seed {seed}, {'radiographs' if data else 'synthetic phantoms'}"
    write_png(out, sheet, text={"Description": f"Contact sheet: {subject}", "Software": "edge-sr"}, overwrite=overwrite)
    click.echo(out)


def phantoms(*, seed: int, count: int) -> list[np.ndarray]:
    """Synthetic chests: (512, 512) uint8 each."""
    return [chest_phantom(STORED_SIDE, seed=seed + i) for i in range(count)]


def training_pictures(data_dir: Path, *, seed: int, count: int) -> list[np.ndarray]:
    """``count`` pictures of the training split, drawn by ``seed``, or all of fewer: (S, S) uint8, S >= 256.

    data_dir: a data folder, or a prepared store. EnvironmentFault where the split is empty, InputError for a picture
    that cannot be decoded or is too small, IntegrityError for a store that was changed.
    """
    store = open_store(data_dir)
    if store:
        chosen = drawn(store.counts["train"], seed, count, store.listing())
        return list(store.pictures("train")[chosen])
    listed = pictures_of(data_dir, "train")
    paths = [listed[i].path for i in drawn(len(listed), seed, count, listing(data_dir))]
    stored = [grey_of(path) for path in paths]
    side = common_side(paths)
    return [np.asarray(cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)) for picture in stored]


def drawn(total: int, seed: int, count: int, manifest: Path) -> list[int]:
    """``count`` different numbers below ``total``, all where there are fewer. EnvironmentFault where there is none."""
    if not total:
        raise EnvironmentFault("no picture in the training split", where=manifest)
    rng = np.random.Generator(np.random.PCG64(seed))
    return [int(i) for i in rng.choice(total, min(count, total), replace=False)]
