"""What the variants make of HR pictures that were made small: against HR, against bicubic, against float32."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from edge_sr.backends.base import Session
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.bench.bootstrap import Interval, patient_bootstrap
from edge_sr.bench.hr_pictures import HrPicture, pair, patients_of
from edge_sr.bench.schema import AgainstFloat32, Quality, Worst
from edge_sr.bench.scores import Shifts, rounded, score
from edge_sr.bench.variants import Subject, Warn
from edge_sr.errors import EdgeSRError, UsageError
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.radiograph import Radiograph, from_unit, to_unit
from edge_sr.models import BICUBIC, open_model
from edge_sr.models.base import SRModel
from edge_sr.pipeline import upscale

WORST = 3  # pictures named for each variant
LPIPS = "lpips_squeeze_v0.1.onnx"


@dataclass(frozen=True)
class Makers:
    """The variants that make different pictures, and the float32 of each chain that one of them is not."""

    subjects: tuple[Subject, ...]
    float32: Mapping[tuple[object, ...], SRModel]

    def reference(self, subject: Subject) -> SRModel | None:
        """None where the variant is float32 itself or has no chain."""
        return None if subject.precision == "fp32" else self.float32.get(_chain(subject))


@dataclass
class Scores:
    """Of one variant: one figure a picture, by metric; the same of bicubic on the same LR."""

    own: list[dict[str, float]] = field(default_factory=list)
    bicubic: list[dict[str, float]] = field(default_factory=list)
    shifts: Shifts = field(default_factory=Shifts)

    def add(self, judged: _Judged) -> None:
        self.own.append(judged.own)
        self.bicubic.append(judged.bicubic)
        if judged.float32 is not None:
            self.shifts.add(judged.sr, judged.float32)


def makers_of(subjects: Sequence[Subject], stack: ExitStack) -> Makers:
    """Variants that differ in threads or size alone make the same pictures: the first of each counts."""
    distinct = tuple({subject.computes: subject for subject in reversed(subjects)}.values())[::-1]
    float32: dict[tuple[object, ...], SRModel] = {}
    for subject in distinct:
        if subject.bundle is not None and subject.precision != "fp32" and _chain(subject) not in float32:
            model = open_model(subject.bundle, OnnxRuntime(), sampler=subject.sampler, steps=subject.steps)
            float32[_chain(subject)] = stack.enter_context(model)
    return Makers(distinct, float32)


def _chain(subject: Subject) -> tuple[object, ...]:
    return (subject.choice.word, subject.sampler, subject.steps)


def made_by(model: SRModel, lr: Radiograph) -> np.ndarray:
    """(H, W), in the integers of LR."""
    return upscale(lr, model).pixels


def bicubic_of(lr: Radiograph, scale: int) -> np.ndarray:
    return from_unit(upsample_bicubic(to_unit(lr.pixels), scale), lr.bit_depth)


def judge(
    makers: Makers, pictures: Sequence[HrPicture], *, lpips: Session | None, warn: Warn, tell: Callable[[str], object]
) -> dict[tuple[object, ...], Quality]:
    """By ``Subject.computes``. A picture that cannot be read is told and left out; UsageError where none is left."""
    for subject in makers.subjects:
        if subject.model.degradation not in ("area", "none"):
            warn(f"{subject.title} was trained for LR by {subject.model.degradation}, and is judged on the area mean")
    scores = {subject.computes: Scores() for subject in makers.subjects}
    names = []
    for number, picture in enumerate(pictures):
        if number % 20 == 0:
            tell(f"quality: picture {number + 1} of {len(pictures)}")
        try:
            one = OnePicture(picture.read(), lpips)
            judged = {subject.computes: _judge_one(makers, subject, one) for subject in makers.subjects}
        except EdgeSRError as error:
            warn(f"{picture.name} is not in the quality figures: {error.what}")
            continue
        names.append(picture.name)
        for computes, each in judged.items():
            scores[computes].add(each)
    if not names:
        raise UsageError("no picture could be used", where="--quality", expected="grey PNG, TIFF or JPEG files")
    alone = {subject.computes for subject in makers.subjects if subject.choice.word == BICUBIC}
    return {computes: _quality(each, names, itself=computes in alone) for computes, each in scores.items()}


class OnePicture:
    """What the variants share: HR and LR by scale, bicubic's figures on it, and what float32 makes of it."""

    def __init__(self, whole: np.ndarray, lpips: Session | None) -> None:
        self._whole, self._lpips = whole, lpips
        self._pairs: dict[int, tuple[np.ndarray, Radiograph]] = {}
        self._bicubic: dict[int, dict[str, float]] = {}
        self._float32: dict[int, np.ndarray] = {}

    def lr(self, scale: int) -> Radiograph:
        if scale not in self._pairs:
            self._pairs[scale] = pair(self._whole, scale)
        return self._pairs[scale][1]

    def score(self, sr: np.ndarray, scale: int) -> dict[str, float]:
        lr = self.lr(scale)
        return score(sr, self._pairs[scale][0], lr.pixels, lpips_session=self._lpips)

    def bicubic(self, scale: int) -> dict[str, float]:
        if scale not in self._bicubic:
            self._bicubic[scale] = self.score(bicubic_of(self.lr(scale), scale), scale)
        return self._bicubic[scale]

    def float32(self, model: SRModel) -> np.ndarray:
        if id(model) not in self._float32:
            self._float32[id(model)] = made_by(model, self.lr(model.scale))
        return self._float32[id(model)]


@dataclass(frozen=True)
class _Judged:
    """One variant on one picture. float32: None where it is that itself."""

    own: dict[str, float]
    bicubic: dict[str, float]
    sr: np.ndarray
    float32: np.ndarray | None


def _judge_one(makers: Makers, subject: Subject, one: OnePicture) -> _Judged:
    scale, reference = subject.model.scale, makers.reference(subject)
    sr = made_by(subject.model, one.lr(scale))
    float32 = None if reference is None else one.float32(reference)
    return _Judged(one.score(sr, scale), one.bicubic(scale), sr, float32)


def _quality(scores: Scores, names: list[str], *, itself: bool) -> Quality:
    """itself: it is bicubic, and has nothing over it."""
    patients = patients_of(names)
    drawn = patients or names
    metrics = tuple(scores.own[0])
    own = {name: np.array([each[name] for each in scores.own]) for name in metrics}
    over = {name: own[name] - np.array([each[name] for each in scores.bicubic]) for name in metrics if not itself}

    def intervals(figures: Mapping[str, np.ndarray]) -> dict[str, Interval]:
        return {name: rounded(patient_bootstrap(values, drawn)) for name, values in figures.items()}

    ranked = own["psnr_db"] if itself else over["psnr_db"]
    against: AgainstFloat32 | None = scores.shifts.told(drawn) if scores.shifts.means else None
    return Quality(
        pictures=len(names),
        patients=None if patients is None else len(set(patients)),
        metrics=intervals(own),
        over_bicubic=intervals(over),
        worst=tuple(_worst(names[n], own, over, n) for n in np.argsort(ranked, kind="stable")[:WORST]),
        against_float32=against,
    )


def _worst(name: str, own: Mapping[str, np.ndarray], over: Mapping[str, np.ndarray], number: int) -> Worst:
    """Where it gains least on bicubic in PSNR, or loses; of bicubic where its own is least."""
    told = [{metric: round(float(values[number]), 4) for metric, values in each.items()} for each in (own, over)]
    return Worst(name, *told)


def find_lpips(given: Path | None, folder: Path) -> Path | None:
    """The one that was given, or one of its usual name in the folder of pictures, beside it or in a folder lpips there;
    or in that of the data folder, where EDGE_SR_DATA names one.
    """
    places = [folder, folder.parent, folder.parent / "lpips"]
    if data := os.environ.get("EDGE_SR_DATA"):
        places.append(Path(data) / "lpips")
    return given or next((place / LPIPS for place in places if (place / LPIPS).is_file()), None)
