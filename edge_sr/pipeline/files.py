"""From a file to a picture, its sidecar and what may stand beside them."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from edge_sr.errors import EdgeSRError, EnvironmentFault, InputError
from edge_sr.image.atomic import write_atomically
from edge_sr.image.png import encode_png, write_png
from edge_sr.image.radiograph import Colour, Radiograph, read_radiograph
from edge_sr.models.base import SRModel
from edge_sr.pipeline.provenance import png_text
from edge_sr.pipeline.result import SRResult
from edge_sr.pipeline.upscaling import upscale
from edge_sr.pipeline.workspace import Workspace
from edge_sr.timing import Phases

SPREAD_GAIN = 16  # of the spread picture: 255 stands for a deviation of 15.9 grey levels of 255


def upscale_file(
    source: Path,
    target: Path,
    model: SRModel,
    *,
    seed: int | None = None,
    fidelity: float | None = None,
    samples: int = 1,
    colour: Colour = "refuse",
    max_pixels: int = 64_000_000,
    overwrite: bool = False,
    phases: Phases | None = None,
    workspace: Workspace | None = None,
) -> tuple[Radiograph, SRResult]:
    """Read ``source``, write the PNG ``target`` and its sidecar ``target`` with suffix .json; both or neither.

    colour: what to do with a colour picture where the model takes grey ones; one of three channels takes it as it is.
    phases: one of PHASES each; the sidecar holds them as they are before it is written itself.

    InputError where the source cannot be served, EnvironmentFault where the target cannot be written.
    """
    phases = Phases() if phases is None else phases
    wanted: Colour = "rgb" if model.channels == 3 and colour == "refuse" else colour
    with phases("decode"):
        radiograph = read_radiograph(source, max_pixels=max_pixels, colour=wanted)
    try:
        result = upscale(
            radiograph, model, seed=seed, fidelity=fidelity, samples=samples, phases=phases, workspace=workspace
        )
        with phases("encode"):
            content = encode_png(result.pixels, text=png_text(result.provenance), level=1)
    except MemoryError:
        height, width = radiograph.pixels.shape[:2]
        size = f"{width}x{height}"
        raise InputError(f"{size} pixels need more memory than there is", where=source, hint="cut it up") from None
    with phases("write"):
        _make_folder(target.parent)
        write_atomically(target, content, overwrite=overwrite)
    try:
        with phases("write"):
            write_sidecar(target, source, result, phases, overwrite=overwrite)
    except EdgeSRError:
        target.unlink(missing_ok=True)  # a picture without its record is half a result
        raise
    return radiograph, result


def write_comparison(path: Path, radiograph: Radiograph, result: SRResult, *, overwrite: bool = False) -> None:
    """The before/after picture, with the provenance of the result in its text."""
    from edge_sr.image.compare import before_after  # here, because a picture by itself does not need its import time

    scale = len(result.pixels) // len(radiograph.pixels)
    picture = before_after(radiograph.pixels, result.pixels, scale=scale)
    _make_folder(path.parent)
    write_png(path, picture, text=png_text(result.provenance), overwrite=overwrite)


def write_spread(path: Path, result: SRResult, *, overwrite: bool = False) -> None:
    """How far the samples lie apart, pixel by pixel: (H, W) uint8, SPREAD_GAIN times the deviation in grey levels."""
    assert result.spread is not None, "one sample has no spread"
    record = {**result.provenance, "content": "standard deviation over the samples", "gain": SPREAD_GAIN}
    picture = np.empty(result.spread.shape, np.uint8)
    for row, deviation in zip(picture, result.spread, strict=True):  # row by row: the floats of a picture are large
        row[:] = np.rint(np.minimum(deviation * np.float32(255 * SPREAD_GAIN), 255))
    _make_folder(path.parent)
    write_png(path, picture, text=png_text(record), overwrite=overwrite)


def _make_folder(folder: Path) -> None:
    if os.path.isdir(folder):  # noqa: PTH112  a third of the time of Path.is_dir, and mkdir would look twice
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot make the output folder ({error.strerror})", where=folder, hint="another folder after -o"
        ) from error


def write_sidecar(target: Path, source: Path, result: SRResult, phases: Phases, *, overwrite: bool) -> None:
    """The provenance, and beside it what the picture must not hold so that its bytes stay the same: time and names."""
    more = {
        "input": source.name,
        "output": target.name,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "phases_ms": {name: round(ms, 3) for name, ms in phases.ms.items()},
    }
    write_atomically(target.with_suffix(".json"), sidecar_text(result, more), overwrite=overwrite)


def sidecar_text(result: SRResult, more: Mapping[str, object]) -> bytes:
    """The provenance of a result and what else is told of it, as JSON with a line for each.

    json's own indentation is written in Python, and takes ten times as long.
    """
    fields = {**result.provenance, **more}
    lines = (f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items())
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()
