"""Super-resolution models for tests of the accuracy check: one made of a function, one of a composed graph."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from calibration.images import CalibrationImages, phantom_tiles
from edge_sr.backends.base import Backend, Session
from edge_sr.diffusion.samplers import NoiseOfStep

Change = Callable[[np.ndarray], np.ndarray]


class Enlarger:
    """Pixels repeated, and whatever ``change`` makes of that.

    noise_side: of the square noise that is added with (1 - fidelity) / 100; None draws none. noise_of_step, where
    ``later`` is set, is added likewise.
    """

    scale = 4
    tile: int | None = None
    degradation = "area"
    seed = 0
    fidelity = 1.0
    largest_batch: int | None = None
    provenance: Mapping[str, object] = {}

    def __init__(self, change: Change = lambda sr: sr, *, noise_side: int | None = None, later: int = 0) -> None:
        self.change, self.noise_side, self.later = change, noise_side, later
        self.calls: list[tuple[float, bool]] = []  # fidelity, and whether noise came

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int] | None:
        return (1, self.noise_side, self.noise_side) if self.noise_side else None

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
    ) -> np.ndarray:
        self.calls.append((fidelity, noise is not None))
        sr = lr.repeat(4, 2).repeat(4, 3)
        fields = [noise] if noise is not None else []
        fields += [noise_of_step(step) for step in range(self.later)] if noise_of_step else []
        for field in fields:
            side = sr.shape[-1] // field.shape[-1]
            sr = sr + np.float32((1 - fidelity) / 100) * field.repeat(side, 2).repeat(side, 3)
        return self.change(np.clip(sr, 0, 1)).astype(np.float32)

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __enter__(self) -> Enlarger:
        return self

    def __exit__(self, *exc: object) -> None: ...


class Composed(Enlarger):
    """A graph ``(lr, noise) -> sr`` in a session."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        (self._latents,) = (spec.shape[1:] for spec in session.inputs if spec.name == "noise")

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int]:
        channels, height, width = map(int, self._latents)
        return channels, height, width

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
    ) -> np.ndarray:
        drawn = np.zeros((len(lr), *self._latents), np.float32) if noise is None else noise * np.float32(1 - fidelity)
        return self.session.run({"lr": lr, "noise": drawn})["sr"]


@contextmanager
def opened(graph: object, backend: Backend | None = None) -> Iterator[Composed]:
    """A composed ONNX graph, by default in ONNX Runtime."""
    import onnx

    from edge_sr.backends.onnxrt import OnnxRuntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upscale.onnx"
        onnx.save(graph, path)
        with (backend or OnnxRuntime(2, spinning=False)).open(path) as session:
            yield Composed(session)


def pictures(count: int, *, first: int = 0, tile: int = 64) -> CalibrationImages:
    """Phantoms."""
    return CalibrationImages.of(phantom_tiles(first + count, tile=tile, scale=4)[first:])
