"""Models of three channels on Set5 and Set14, by the protocol of the published figures.

    python benchmarks/natural.py runs/bundles/espcn --sets shared/data/natural

PSNR and SSIM of 8-bit luma (ITU-R BT.601, 16 to 235) without a border of four pixels; LR by MATLAB's bicubic. Bicubic
has to come out as published, or the protocol is another one.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # Python puts this folder there; benchmarks itself is not installed

from edge_sr import __version__  # noqa: E402
from edge_sr.artifacts.bundle import Bundle  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402
from edge_sr.image.atomic import write_atomically  # noqa: E402
from edge_sr.image.quality import psnr, ssim  # noqa: E402
from edge_sr.image.radiograph import Radiograph  # noqa: E402
from edge_sr.models import open_model  # noqa: E402
from edge_sr.models.base import SRModel  # noqa: E402
from edge_sr.pipeline import upscale  # noqa: E402
from host_training.data.imresize import imresize  # noqa: E402
from host_training.data.natural import luma, natural_picture, pair_of, pictures_below, without_border  # noqa: E402
from host_training.evaluation.trained_steps import trained_steps  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "natural.json"
SETS = ("Set5", "Set14")
PUBLISHED_DB = {"Set5": 28.42, "Set14": 26.00}  # of bicubic, luma taken first
PROTOCOL = "LR by MATLAB's bicubic of the colours, x4; PSNR and SSIM of 8-bit luma without a border of 4 pixels"

Produce = Callable[[np.ndarray], np.ndarray]
"""(h, w, 3) or (h, w) uint8 -> four times as high and wide."""


def bicubic(lr: np.ndarray) -> np.ndarray:
    return imresize(lr, 4 * lr.shape[0], 4 * lr.shape[1])


def measured(folder: Path, rows: dict[str, Produce]) -> dict[str, Any]:
    """One set: figures by row, each the mean over its pictures."""
    pictures = [natural_picture(path) for path in pictures_below(folder)]  # one of Set14 is grey, its own luma
    if not pictures:
        raise UsageError("no picture", where=folder, expected="the pictures of Set5 or Set14")
    return {
        "pictures": len(pictures),
        "bicubic_published_db": PUBLISHED_DB.get(folder.name),
        "bicubic_luma_first_db": round(float(np.mean([_luma_first_db(picture) for picture in pictures])), 3),
        "rows": {key: _scores(produce, pictures) for key, produce in rows.items()},
    }


def _luma_first_db(picture: np.ndarray) -> float:
    """As those who published bicubic's figures did it: luma is taken before anything is resized."""
    hr, lr = pair_of(luma(picture))
    return psnr(without_border(hr), without_border(imresize(lr, *hr.shape)))


def _scores(produce: Produce, pictures: Sequence[np.ndarray]) -> dict[str, float]:
    pairs = [pair_of(picture) for picture in pictures]
    lumas = [(without_border(luma(hr)), without_border(luma(produce(lr)))) for hr, lr in pairs]
    return {
        "psnr_db": round(float(np.mean([psnr(sr, hr) for hr, sr in lumas])), 3),
        "ssim": round(float(np.mean([ssim(sr, hr) for hr, sr in lumas])), 4),
    }


def _rows(bundles: Sequence[Bundle], stack: ExitStack) -> Iterator[tuple[str, Produce]]:
    yield "bicubic", bicubic
    for bundle in bundles:
        if bundle.manifest.input.channels != 3 or bundle.manifest.scale != 4:
            raise UsageError("is not for colour, x4", where=bundle.folder, expected="three channels, scale 4")
        model = stack.enter_context(open_model(bundle, OnnxRuntime()))
        yield bundle.manifest.name, partial(_upscaled, model)


def _upscaled(model: SRModel, lr: np.ndarray) -> np.ndarray:
    return upscale(Radiograph(lr, 8, "0" * 64), model).pixels


@click.command()
@click.argument("bundles", nargs=-1, type=click.Path(path_type=Path))
@click.option("--sets", type=click.Path(path_type=Path, exists=True), required=True, help="Folder of Set5 and Set14.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=RESULT, help="[default: benchmarks/results/natural.json]"
)
def command(bundles: tuple[Path, ...], sets: Path, out: Path) -> None:
    """Measure BUNDLES beside bicubic."""
    opened = [Bundle.open(folder) for folder in bundles]
    with ExitStack() as stack:
        rows = dict(_rows(opened, stack))
        found = {name: measured(sets / name, rows) for name in SETS}
    report = {
        "schema_version": 1,
        "benchmark": "natural",
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "code_version": __version__,
        "protocol": PROTOCOL,
        "bundles": {
            each.manifest.name: {"sha256": each.sha256, "trained_steps": trained_steps(each)} for each in opened
        },
        "sets": found,
    }
    write_atomically(out, (json.dumps(report, indent=1) + "\n").encode(), overwrite=True)
    click.echo(f"written to {out}")


if __name__ == "__main__":
    sys.exit(guarded(lambda: command(standalone_mode=False)))
