"""What the demo does with one picture, on its one working thread: decode, upscale, score, and the views of both."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np

from edge_sr.demo.declined import Declined
from edge_sr.demo.offers import Models
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import area_mean
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import encode_png
from edge_sr.image.quality import haarpsi, psnr, ssim
from edge_sr.image.radiograph import MIN_SIDE, Radiograph, from_unit, to_unit
from edge_sr.image.sandbox import Decoder
from edge_sr.pipeline import SRResult, Workspace, png_text, upscale, upscale_file
from edge_sr.timing import Phases

SAMPLE_SIDE = 64  # LR pixels of the synthetic radiograph
MOST_SAMPLES, KEPT_SAMPLES = 1000, 8  # seeds of it, and how many are kept ready
SAMPLE_TEXT = {"Description": "Synthetic chest phantom, no patient", "Software": "edge-sr"}
SEEDS = 8  # of the spread; fewer for large pictures, where each takes a second
SEEDS_OF_LARGE, LARGE = 4, 256 * 256  # LR pixels
LARGEST_SCORED = 1024  # side of what is compared with a truth: the middle of larger pictures
REDUCED = "reduced to its 4x4 means first"


@dataclass(frozen=True)
class Picture:
    """What a visitor brought. truth: (H, W) of the type of the LR pixels, where it is known."""

    lr: Radiograph
    truth: np.ndarray | None = None

    @property
    def n_bytes(self) -> int:
        return self.lr.pixels.nbytes + (0 if self.truth is None else self.truth.nbytes)


@dataclass(frozen=True)
class Wish:
    """How it is upscaled; None takes the model's default. model: a word of an offer."""

    model: str | None = None
    steps: int | None = None
    fidelity: float | None = None
    seed: int | None = None


@dataclass(frozen=True)
class Made:
    """A result, with when it was made by the clock of the power recorder."""

    result: SRResult
    phases_ms: Mapping[str, float]
    start_s: float
    end_s: float
    scale: int
    created: datetime

    def png(self) -> bytes:
        return encode_png(self.result.pixels, text=png_text(self.result.provenance), level=1)


class Desk:
    """For one thread. largest: LR pixels of a picture. decoder: takes pictures of as many pixels as a result has."""

    def __init__(self, models: Models, decoder: Decoder, *, largest: int) -> None:
        self.models, self._decoder, self._largest = models, decoder, largest
        self._workspace = Workspace()
        self._samples: dict[tuple[int, int], Picture] = {}

    def warm_up(self) -> None:
        """Open the first model and run it, and its sandbox, so that the first visitor does not wait for them."""
        picture = self.sample(0, self.models.offer(None).scale)
        self.upscale(
            self.picture(encode_png(picture.lr.pixels, text={}), Phases(), reduce=False, scale=1), Wish(), Phases()
        )

    def read(self, content: bytes, phases: Phases) -> Radiograph:
        """Decoded in a process of its own. InputError for what is no picture; what has colour becomes its luma."""
        with phases("decode"), os.fdopen(os.memfd_create("upload", os.MFD_CLOEXEC), "wb") as file:
            file.write(content)
            file.flush()
            # The page shows grey. Luma is what a model of one channel takes, and a note tells of it.
            return replace(self._decoder.decode(file.fileno()), chroma=None)

    def picture(self, content: bytes, phases: Phases, *, reduce: bool, scale: int) -> Picture:
        """reduce: take the file as the truth and upscale its block means. InputError, Declined for an unfit size."""
        radiograph = self.read(content, phases)
        if reduce:
            return reduced(radiograph, scale)
        height, width = radiograph.pixels.shape
        if height * width > self._largest:
            raise Declined(
                422,
                f"{width}x{height} is too large for this page",
                expected=f"at most {self._largest:,} pixels",
                hint="make it smaller first, or on the command line: edge-sr run FILE",
                code="too-large",
            )
        return Picture(radiograph)

    def sample(self, number: int, scale: int) -> Picture:
        """A synthetic radiograph with its truth; no patient stands behind it."""
        if not 0 <= number < MOST_SAMPLES:
            raise Declined(400, f"there is no sample {number}", expected=f"0 to {MOST_SAMPLES - 1}")
        key = (number, scale)
        if key not in self._samples:
            while len(self._samples) >= KEPT_SAMPLES:
                del self._samples[next(iter(self._samples))]
            self._samples[key] = synthetic(chest_phantom(SAMPLE_SIDE * scale, seed=number), scale)
        return self._samples[key]

    def upscale(self, picture: Picture, wish: Wish, phases: Phases) -> Made:
        """UsageError, Declined where the wish cannot be had."""
        model = self.models.get(wish.model, wish.steps)
        start_s = time.perf_counter()
        result = upscale(
            picture.lr, model, seed=wish.seed, fidelity=wish.fidelity, phases=phases, workspace=self._workspace
        )
        now = datetime.now(timezone.utc)
        return Made(result, dict(phases.ms), start_s, time.perf_counter(), model.scale, now)

    def spread(self, picture: Picture, wish: Wish) -> tuple[np.ndarray, Mapping[str, object]]:
        """(H, W) float32, the standard deviation over seeds in units of the full range, and what it was made with.

        At fidelity 1 nothing is drawn and nothing could differ: it is then that of fidelity 0.
        """
        model = self.models.get(wish.model, wish.steps)
        seeds = SEEDS if picture.lr.pixels.size <= LARGE else SEEDS_OF_LARGE
        fidelity = model.fidelity if wish.fidelity is None else wish.fidelity
        fidelity = 0.0 if fidelity == 1 else fidelity
        result = upscale(picture.lr, model, seed=wish.seed, fidelity=fidelity, samples=seeds, workspace=self._workspace)
        assert result.spread is not None, "several samples have a spread"
        return result.spread, {"seeds": seeds, "fidelity": fidelity}

    def with_truth(self, picture: Picture, content: bytes, made: Made) -> Picture:
        """The same picture and its ground truth. InputError, Declined where that does not fit."""
        return with_truth(picture, self.read(content, Phases()), made.scale)

    def file(self, source: Path, target: Path, *, overwrite: bool) -> None:
        """As ``edge-sr run`` does it, with the model shown first; see ``upscale_file`` for errors."""
        upscale_file(source, target, self.models.get(), overwrite=overwrite, workspace=self._workspace)

    def close(self) -> None:
        self.models.close()
        self._decoder.close()


def synthetic(truth: np.ndarray, scale: int) -> Picture:
    """A phantom as the picture that ``edge-sr sample`` writes of it: the hash is that of the same file."""
    picture = reduced(Radiograph(truth, 8 * truth.itemsize, ""), scale)
    sha256 = hashlib.sha256(encode_png(picture.lr.pixels, text=SAMPLE_TEXT)).hexdigest()
    return replace(picture, lr=replace(picture.lr, sha256=sha256, note="synthetic phantom, no patient"))


def reduced(radiograph: Radiograph, scale: int) -> Picture:
    """A picture and its means over scale x scale pixels; what does not fill a block at the edges is cut off."""
    height, width = (side // scale * scale for side in radiograph.pixels.shape)
    if min(height, width) < MIN_SIDE * scale:
        raise Declined(
            422,
            "is too small to be made smaller first",
            expected=f"sides of at least {MIN_SIDE * scale}",
            hint="open it without making it smaller",
        )
    truth = np.ascontiguousarray(radiograph.pixels[:height, :width])
    means = from_unit(area_mean(to_unit(truth), scale), radiograph.bit_depth)
    note = ", ".join(filter(None, (radiograph.note, REDUCED)))
    return Picture(replace(radiograph, pixels=means, note=note), truth)


def with_truth(picture: Picture, truth: Radiograph, scale: int) -> Picture:
    """Declined where the truth does not fit the picture."""
    height, width = (side * scale for side in picture.lr.pixels.shape)
    if truth.pixels.shape != (height, width):
        raise Declined(
            422,
            f"the truth has {truth.pixels.shape[1]}x{truth.pixels.shape[0]} pixels",
            expected=f"{width}x{height}, {scale} times the picture's",
            hint="open the truth itself and make it smaller first",
        )
    levels = truth.pixels
    if levels.dtype != picture.lr.pixels.dtype:
        levels = from_unit(to_unit(levels), picture.lr.bit_depth)
    return replace(picture, truth=levels)


def bicubic(picture: Picture, scale: int) -> np.ndarray:
    """(H, W) of the picture's type: what there is without a model."""
    return from_unit(upsample_bicubic(to_unit(picture.lr.pixels), scale), picture.lr.bit_depth)


def scores(truth: np.ndarray, pictures: Mapping[str, np.ndarray]) -> dict[str, object]:
    """PSNR, SSIM and HaarPSI_MED of each picture against the truth; all (H, W) of one type."""
    height, width = truth.shape
    top, left = max(0, height - LARGEST_SCORED) // 2, max(0, width - LARGEST_SCORED) // 2
    part = slice(top, top + LARGEST_SCORED), slice(left, left + LARGEST_SCORED)
    to_255 = 255.0 / np.iinfo(truth.dtype).max
    hr = truth[part] * to_255
    rows: dict[str, object] = {"pixels": list(hr.shape[::-1]), "whole": hr.shape == truth.shape}
    for name, picture in pictures.items():
        sr = picture[part] * to_255
        decibels = psnr(sr, hr)
        rows[name] = {
            "psnr_db": round(decibels, 2) if np.isfinite(decibels) else None,  # null: they are the same
            "ssim": round(ssim(sr, hr), 4),
            "haarpsi": round(haarpsi(sr, hr), 4),
        }
    return rows
