"""The bundles that are compared, each under a key of its own, and which pictures each may be measured on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from edge_sr.artifacts.bundle import Bundle, bundle_folder, file_sha256
from edge_sr.backends.base import Backend
from edge_sr.bench.roofline.cost import cost_of_bundle
from edge_sr.errors import UsageError
from edge_sr.models import open_model
from edge_sr.models.base import SRModel
from edge_sr.models.latent_diffusion import LatentDiffusion
from host_training.data.protocol import SCALE
from host_training.evaluation.pictures import PictureSet

FORM = "BUNDLE or BUNDLE@SAMPLER:STEPS, such as bundle@ddim:4"
MEASURED_ON: Mapping[str, tuple[str, ...]] = {  # degradation of a bundle -> those of the pictures that fit it
    "area": ("area",),
    "cubic": ("cubic", "cubic-from-hr"),
    "bicubic": ("bicubic",),
    "bicubic-blur": ("bicubic-blur",),
    # made for pictures whose history nobody knows, so all are fair
    "high-order": ("area", "cubic", "cubic-from-hr", "high-order", "bicubic-blur", "bicubic"),
}


@dataclass(frozen=True)
class Candidate:
    """sampler, steps: None takes the bundle's own. hr_encoder: the ONNX file of its HR encoder, if there is one."""

    key: str
    bundle: Bundle
    sampler: str | None = None
    steps: int | None = None
    hr_encoder: Path | None = None

    @property
    def degradation(self) -> str:
        return self.bundle.manifest.input.degradation

    def fits(self, pictures: PictureSet) -> bool:
        """Was it trained for LR pictures that were made as these were?"""
        return pictures.degradation in MEASURED_ON[self.degradation]

    @property
    def draws_noise(self) -> bool:
        """Whether fidelity and seed change its pictures."""
        return self.bundle.manifest.diffusion is not None

    @contextmanager
    def open(self, backend: Backend) -> Iterator[SRModel]:
        with open_model(self.bundle, backend, sampler=self.sampler, steps=self.steps) as model:
            yield model

    @contextmanager
    def open_parts(self, backend: Backend) -> Iterator[LatentDiffusion]:
        """The same where it draws noise, so that its networks can be run one by one."""
        with LatentDiffusion(self.bundle, backend, sampler=self.sampler, steps=self.steps) as model:
            yield model

    def to_json(self, backend: Backend) -> dict[str, Any]:
        manifest, bundle = self.bundle.manifest, self.bundle
        with self.open(backend) as model:
            run = {name: model.provenance[name] for name in ("backend", "precision", "sampler", "steps")}
        return {
            "name": manifest.name,
            "version": manifest.version,
            "sha256": bundle.sha256,
            # These stay when the figures are written into the manifest, whose own hash then changes.
            "networks_sha256": {role: file_sha256(bundle.path(role)) for role in manifest.networks},
            "degradation": self.degradation,
            **run,
            **asdict(cost_of_bundle(self.bundle, sampler=self.sampler, steps=self.steps)),
        }


def candidates(words: Sequence[str], backend: Backend) -> list[Candidate]:
    """The bundles named on the command line; the default one where there are none.

    UsageError for a word that is no bundle, for a sampler that it cannot run, and for a bundle that is not of one
    channel and scale 4; IntegrityError for one that fails its own hashes.
    """
    opened = [_candidate(word) for word in words or ("default",)]
    for word, candidate in zip(words or ("default",), opened, strict=True):
        _check(candidate, word, backend)
    return _with_own_keys(opened)


def _candidate(word: str) -> Candidate:
    folder, mark, run = word.rpartition("@")
    if not mark or Path(word).exists():
        return Candidate("", _opened(word))
    sampler, colon, steps = run.partition(":")
    if not (folder and colon and steps.isdigit()):
        raise UsageError("cannot be understood", where=word, expected=FORM)
    return Candidate("", _opened(folder), sampler, int(steps))


def _opened(word: str) -> Bundle:
    return Bundle.open(bundle_folder(word))


def _check(candidate: Candidate, word: str, backend: Backend) -> None:
    manifest = candidate.bundle.manifest
    if manifest.input.channels != 1 or manifest.scale != SCALE:
        raise UsageError("this bundle cannot be evaluated", where=word, expected=f"one channel, scale {SCALE}")
    try:
        with candidate.open(backend):
            pass
    except UsageError as fault:
        raise UsageError(fault.what, where=word, expected=fault.expected) from fault


def _with_own_keys(given: Sequence[Candidate]) -> list[Candidate]:
    """By name; bundles of one name also by sampler and steps, then by a number."""
    names = Counter(candidate.bundle.manifest.name for candidate in given)
    keyed: list[Candidate] = []
    for candidate in given:
        key = candidate.bundle.manifest.name
        if names[key] > 1 and candidate.sampler is not None:
            key += f"-{candidate.sampler}-{candidate.steps}"
        keyed.append(replace(candidate, key=unused(key, [other.key for other in keyed])))
    return keyed


def unused(name: str, taken: Sequence[str]) -> str:
    """``name``, or the first of name-2, name-3 ... that is not taken."""
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 2))
    return name if name not in taken else next(other for other in numbered if other not in taken)


def check_fit(given: Sequence[Candidate], sets: Sequence[PictureSet]) -> None:
    """UsageError for a bundle that none of the sets fits."""
    for candidate in given:
        if not any(candidate.fits(pictures) for pictures in sets):
            there = ", ".join(f"{pictures.name} ({pictures.degradation})" for pictures in sets)
            raise UsageError(
                f"was trained for degradation {candidate.degradation}, and none of the sets is: {there}",
                where=candidate.bundle.folder,
                expected=f"a store of degradation {' or '.join(MEASURED_ON[candidate.degradation])}",
                hint=f"edge-sr-host prepare PICTURES -o STORE --degradation {candidate.degradation}, then --set STORE",
            )
