"""The work of ``edge-sr watch``: a model behind the protocol of the service, which knows none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edge_sr.image.png import encode_png
from edge_sr.image.radiograph import Colour, Radiograph
from edge_sr.image.sandbox import Decoder
from edge_sr.models import load_first
from edge_sr.models.base import SRModel
from edge_sr.pipeline import SRResult, Workspace, chosen_fidelity, shares_batches, upscale_many
from edge_sr.pipeline.provenance import job_key, png_text
from edge_sr.service.work import Result
from edge_sr.timing import Phases

LARGEST_BATCH = 8  # pictures: what a call of the largest engine takes in tiles


@dataclass(frozen=True)
class Choice:
    """The options of ``watch`` that say how a picture is made; None is the bundle's."""

    names: Sequence[str] = ("default",)
    precision: str = "auto"
    backend: str | None = None
    provider: str | None = None
    steps: int | None = None
    sampler: str | None = None
    seed: int | None = None
    fidelity: float | None = None
    threads: int | None = None


class ModelWork:
    """One open model. note: told why a model or an engine before it was not taken."""

    def __init__(self, choice: Choice, *, note: Callable[[str], None]) -> None:
        self._model: SRModel = load_first(
            choice.names,
            sampler=choice.sampler,
            steps=choice.steps,
            threads=choice.threads,
            precision=choice.precision,
            backend=choice.backend,
            provider=choice.provider,
            note=note,
        )
        self._seed = choice.seed
        self._fidelity = chosen_fidelity(self._model, choice.fidelity, samples=1)
        self._workspace = Workspace()
        shares_batches(self._model)  # tried out now, before READY, and not in the first backlog

    @property
    def description(self) -> Mapping[str, object]:
        told = {**self._model.provenance, "instead_of": list(self._model.instead_of) or None}
        return {**told, "seed": self._seed, "fidelity": self._fidelity, "scale": self.scale}

    @property
    def channels(self) -> int:
        return self._model.channels

    @property
    def scale(self) -> int:
        return self._model.scale

    @property
    def largest_batch(self) -> int:
        return min(self._model.largest_batch or LARGEST_BATCH, LARGEST_BATCH)

    def job_key(self, radiograph: Radiograph) -> str:
        return job_key(radiograph, self._model, seed=self._seed, fidelity=self._fidelity)

    def __call__(self, radiographs: Sequence[Radiograph], phases: Phases) -> Sequence[SRResult]:
        return upscale_many(
            radiographs,
            self._model,
            seed=self._seed,
            fidelity=self._fidelity,
            phases=phases,
            workspace=self._workspace,
        )

    def encode(self, result: Result) -> bytes:
        return encode_png(result.pixels, text=png_text(result.provenance), level=1)

    def close(self) -> None:
        self._model.close()


class LateDecoder:
    """A decoder that starts beside the loading of the model, for grey pictures; one of three channels has it replaced.

    make: of a colour treatment. With colour "refuse" such a model takes colour as it is.
    """

    def __init__(self, make: Callable[[Colour], Decoder], colour: Colour) -> None:
        self._make, self._colour = make, colour
        self._inner = make(colour)

    def fit(self, channels: int) -> None:
        if channels == 3 and self._colour == "refuse":
            self._inner.close()
            self._inner = self._make("rgb")

    def decode(self, content: int, *, sha256: str | None = None) -> Radiograph:
        return self._inner.decode(content, sha256=sha256)

    def close(self) -> None:
        self._inner.close()
