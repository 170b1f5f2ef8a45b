"""From one radiograph to its super-resolved picture, its provenance, and the files that hold both."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from edge_sr import __version__
from edge_sr.diffusion.noise import noise_field
from edge_sr.diffusion.samplers import NoiseOfStep
from edge_sr.errors import EdgeSRError, EnvironmentFault, InputError, UsageError
from edge_sr.image.atomic import write_atomically
from edge_sr.image.compare import before_after
from edge_sr.image.consistency import lr_rmse, project
from edge_sr.image.png import encode_png, write_png
from edge_sr.image.radiograph import Colour, Radiograph, from_unit, read_radiograph, to_unit
from edge_sr.image.tiling import TilePlan, blend, cut, plan_tiles
from edge_sr.models.base import SRModel
from edge_sr.timing import Phases

NOTICE = "Not for diagnostic use. Detail beyond the low resolution picture was made by a model."
OVERLAP = 16  # LR pixels; a quarter of a tile, see edge_sr.image.tiling
LARGEST_BATCH = 8  # tiles a call: more gains nothing on a CPU and costs memory on a small board
TEXT_KEY = "edge-sr"  # PNG text chunk that holds the provenance as JSON
SPREAD_GAIN = 16  # of the spread picture: 255 stands for a deviation of 15.9 grey levels of 255
LARGEST_KEPT = 1 << 20  # float32 numbers in a workspace: sixteen tiles; a picture of many times that is rare, and large


@dataclass(frozen=True)
class SRResult:
    """pixels: (H, W) uint8 or uint16, or (H, W, 3) uint8 RGB where colour was kept.

    spread: (H, W) float32, the standard deviation over the samples in units of the full range; None for one sample.
    """

    pixels: np.ndarray
    provenance: Mapping[str, object]
    spread: np.ndarray | None = None


class Workspace:
    """Memory for one picture's numbers that the next picture uses again. For one thread; no result lies in it."""

    def __init__(self) -> None:
        self._array: np.ndarray | None = None

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """float32, holding anything; valid until the next call."""
        if self._array is not None and self._array.shape == shape:
            return self._array
        array = np.empty(shape, np.float32)
        self._array = array if array.size <= LARGEST_KEPT else None
        return array


def upscale(
    radiograph: Radiograph,
    model: SRModel,
    *,
    seed: int | None = None,
    fidelity: float | None = None,
    samples: int = 1,
    phases: Phases | None = None,
    workspace: Workspace | None = None,
) -> SRResult:
    """Super-resolve one radiograph; the same input and options give the same result, bit for bit.

    seed: of the noise field, 0 <= seed < 2**53. fidelity: 0 (all of the noise) to 1 (none). None: the model's default;
    with several samples, 0.
    samples: with more than one the result is the mean over the seeds from ``seed`` on, and has their spread. UsageError
    where they cannot differ.
    phases: where the times from prepare to finish are added. workspace: for calls that follow each other.
    """
    phases = Phases() if phases is None else phases
    workspace = Workspace() if workspace is None else workspace
    seed = model.seed if seed is None else seed
    fidelity = chosen_fidelity(model, fidelity, samples=samples)
    with phases("prepare"):
        lr = _for_channels(to_unit(radiograph.pixels), model.channels)  # (1, C, h, w)
    seeds = range(seed, seed + samples)
    drawn = (_one_sample(lr, model, seed=each, fidelity=fidelity, phases=phases, workspace=workspace) for each in seeds)
    sr, spread = _mean_and_spread(drawn, samples)
    with phases("finish"):
        if radiograph.pixels.ndim == 2 and model.channels > 1:
            sr = sr.mean(axis=1, keepdims=True)  # what came in grey goes out grey
        pixels = from_unit(sr, radiograph.bit_depth)  # (H, W), in colour (H, W, 3)
        provenance = _provenance(radiograph, model, pixels, seed=seed, fidelity=fidelity, samples=samples)
        if radiograph.chroma is not None:
            pixels = _with_chroma(pixels, radiograph.chroma)
    return SRResult(pixels, provenance, spread)


def _for_channels(lr: np.ndarray, channels: int) -> np.ndarray:
    """(1, 1 or 3, h, w) -> (1, channels, h, w): grey is repeated. UsageError for colour where there is one channel."""
    if lr.shape[1] == channels:
        return lr
    if lr.shape[1] > 1:
        raise UsageError("the model takes grey pictures", where="colour", expected="refuse or luma")
    return lr.repeat(channels, axis=1)


def chosen_fidelity(model: SRModel, fidelity: float | None, *, samples: int) -> float:
    """What is used where ``fidelity`` is asked for; UsageError where several samples cannot differ."""
    if samples == 1:
        return model.fidelity if fidelity is None else fidelity
    if model.noise_shape(64, 64) is None:
        raise UsageError("this model draws no noise, so its samples are all alike", where="samples", hint="--samples 1")
    if fidelity == 1:
        raise UsageError(
            "at fidelity 1 there is no noise, so the samples are all alike", where="samples", hint="--fidelity 0"
        )
    return fidelity or 0.0


def _one_sample(
    lr: np.ndarray, model: SRModel, *, seed: int, fidelity: float, phases: Phases, workspace: Workspace
) -> np.ndarray:
    """(1, C, h, w) -> (1, C, h * scale, w * scale) for one seed; it may lie in the workspace."""
    if model.tile is None:
        start = time.perf_counter()
        sr = model(lr, noise=None, fidelity=fidelity)
        phases.add_call((time.perf_counter() - start) * 1e3, model.times)
        return sr
    noisy = seed if fidelity < 1 else None
    return _run_tiles(lr, model, model.tile, seed=noisy, fidelity=fidelity, phases=phases, workspace=workspace)


def _mean_and_spread(drawn: Iterable[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Mean and unbiased standard deviation, one sample in memory at a time (Welford 1962).

    The mean is as consistent with LR as each sample: averaging and the 4x4 mean commute.
    """
    samples = iter(drawn)
    mean = next(samples)
    if count == 1:
        return mean, None
    mean = mean.copy()  # the next sample may lie where this one does
    squares = np.zeros_like(mean)
    for number, sample in enumerate(samples, start=2):
        difference = sample - mean
        mean = mean + difference / number
        squares += difference * (sample - mean)
    return mean, np.sqrt(squares / (count - 1))[0, 0]


def _run_tiles(
    lr: np.ndarray,
    model: SRModel,
    tile: int,
    *,
    seed: int | None,
    fidelity: float,
    phases: Phases,
    workspace: Workspace,
) -> np.ndarray:
    """(1, C, h, w) -> (1, C, h * scale, w * scale); seed None runs without noise. One tile stays in the workspace."""
    with phases("prepare"):
        plan = plan_tiles(*lr.shape[2:], tile=tile, overlap=OVERLAP)
        tiles = cut(lr, plan)  # (N, C, tile, tile)
        noise = None if seed is None else _tile_noise(plan, model, seed, step=0)
        side = tile * model.scale
        parts = workspace.array((*tiles.shape[:2], side, side))
    for batch in _batches(len(tiles), min(LARGEST_BATCH, model.largest_batch or LARGEST_BATCH)):
        start = time.perf_counter()
        model(
            tiles[batch],
            noise=None if noise is None else noise[batch],
            fidelity=fidelity,
            noise_of_step=None if seed is None else _later_noise(plan, model, seed, batch),
            out=parts[batch],
        )
        phases.add_call((time.perf_counter() - start) * 1e3, model.times)
    with phases("finish"):
        sr = blend(parts, plan, scale=model.scale)
        if len(tiles) > 1 and model.degradation == "area":  # the blend of consistent tiles is not itself consistent
            sr = project(sr, lr, scale=model.scale)
    return sr


def _batches(count: int, size: int) -> list[slice]:
    return [slice(start, start + size) for start in range(0, count, size)]


def _tile_noise(plan: TilePlan, model: SRModel, seed: int, *, step: int) -> np.ndarray | None:
    """(N, C, h, w): one field for the whole padded picture, cut where the picture is cut."""
    shape = model.noise_shape(*plan.padded)
    if shape is None:
        return None
    return cut(noise_field(seed, shape, step=step), plan, ratio=Fraction(shape[1], plan.padded[0]))


def _later_noise(plan: TilePlan, model: SRModel, seed: int, batch: slice) -> NoiseOfStep:
    def noise_of_step(step: int) -> np.ndarray:
        field = _tile_noise(plan, model, seed, step=step + 1)  # 0 is the noise the sampler starts from
        assert field is not None, "a model that asks for the noise of a step has a noise shape"
        return field[batch]

    return noise_of_step


def _with_chroma(luma: np.ndarray, chroma: np.ndarray) -> np.ndarray:
    """(H, W) uint8 and (h, w, 2) uint8 Cr, Cb -> (H, W, 3) uint8 RGB; the chroma is interpolated only."""
    height, width = luma.shape
    upsampled = cv2.resize(chroma, (width, height), interpolation=cv2.INTER_CUBIC)  # (H, W, 2)
    return cv2.cvtColor(np.dstack([luma, upsampled]), cv2.COLOR_YCrCb2RGB)


def _provenance(
    radiograph: Radiograph, model: SRModel, pixels: np.ndarray, *, seed: int, fidelity: float, samples: int
) -> dict[str, object]:
    """pixels: of the result, of a colour picture's luma where that alone was super-resolved."""
    noisy = model.noise_shape(64, 64) is not None
    return {
        "tool": "edge-sr",
        "version": __version__,
        **model.provenance,
        "instead_of": list(model.instead_of) or None,
        "seed": seed if noisy else None,
        "fidelity": fidelity if noisy else None,
        "samples": samples if noisy else None,
        "scale": model.scale,
        "input_sha256": radiograph.sha256,
        "input_note": radiograph.note,
        "colour": _colour(radiograph),
        "lr_rmse": round(float(lr_rmse(pixels, radiograph.pixels)), 4),
        "notice": NOTICE,
    }


def _colour(radiograph: Radiograph) -> str:
    """What of a picture's colour went through the model."""
    if radiograph.chroma is not None:
        return "luma"
    return "rgb" if radiograph.pixels.ndim == 3 else "grey"


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
    except MemoryError:
        height, width = radiograph.pixels.shape[:2]
        size = f"{width}x{height}"
        raise InputError(f"{size} pixels need more memory than there is", where=source, hint="cut it up") from None
    with phases("encode"):
        content = encode_png(result.pixels, text=png_text(result.provenance), level=1)
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
    scale = len(result.pixels) // len(radiograph.pixels)
    picture = before_after(radiograph.pixels, result.pixels, scale=scale)
    _make_folder(path.parent)
    write_png(path, picture, text=png_text(result.provenance), overwrite=overwrite)


def write_spread(path: Path, result: SRResult, *, overwrite: bool = False) -> None:
    """How far the samples lie apart, pixel by pixel: (H, W) uint8, SPREAD_GAIN times the deviation in grey levels."""
    assert result.spread is not None, "one sample has no spread"
    levels = result.spread * np.float32(255 * SPREAD_GAIN)
    record = {**result.provenance, "content": "standard deviation over the samples", "gain": SPREAD_GAIN}
    _make_folder(path.parent)
    picture = np.rint(np.minimum(levels, 255)).astype(np.uint8)
    write_png(path, picture, text=png_text(record), overwrite=overwrite)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot make the output folder ({error.strerror})", where=folder, hint="another folder after -o"
        ) from error


def png_text(provenance: Mapping[str, object]) -> dict[str, str]:
    """The text chunks of an output: Comment is what common picture viewers show."""
    return {
        TEXT_KEY: json.dumps(provenance),
        "Comment": NOTICE,
        "Software": f"edge-sr {__version__}",
    }


def write_sidecar(target: Path, source: Path, result: SRResult, phases: Phases, *, overwrite: bool) -> None:
    """The provenance, and beside it what the picture must not hold so that its bytes stay the same: time and names."""
    record = {
        **result.provenance,
        "input": source.name,
        "output": target.name,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "phases_ms": {name: round(ms, 3) for name, ms in phases.ms.items()},
    }
    text = json.dumps(record, indent=2) + "\n"
    write_atomically(target.with_suffix(".json"), text.encode(), overwrite=overwrite)
