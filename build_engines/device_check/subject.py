"""What is checked: the engines of one chain on this machine, and how they are opened and fed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from build_engines.check.pictures import Pictures
from build_engines.device_check.steps import NotAvailable
from build_engines.targets.base import Target
from edge_sr.artifacts.chain import COMPOSED, Chain
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.backends.base import Backend, Session
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.diffusion.noise import noise_field
from edge_sr.tensors import Tensors, TensorSpec

FLOAT32 = "fp32"  # the bundle's own graph, in ONNX Runtime
PRECISIONS = ("fp16", "int8")  # of the engines that are built
DISTINCT = 16  # pictures that a stream of many is made of


@dataclass
class Subject:
    """threads: of ONNX Runtime, None for its own choice. engines: by precision, once they are built."""

    chain: Chain
    target: Target
    cache: Path
    pictures: Pictures
    threads: int | None = None
    engines: dict[str, Entry] = field(default_factory=dict)

    @property
    def tensorrt(self) -> bool:
        return self.target.flavour == "tensorrt"

    @property
    def simulated(self) -> bool:
        """True on the tests' simulator: then nothing here is a measurement."""
        return bool(getattr(self.target.backend, "simulated", False))

    def engine(self, precision: str) -> Entry:
        """NotAvailable where its build failed or was skipped."""
        if precision not in self.engines:
            raise NotAvailable(f"there is no {precision} engine; see build-{precision}")
        return self.engines[precision]

    def fastest(self) -> Entry:
        """By its speed-up when it was built. NotAvailable where there is none."""
        if not self.engines:
            raise NotAvailable("there is no engine; see build-fp16 and build-int8")
        return max(self.engines.values(), key=lambda entry: entry.manifest.speedup)

    def artifact(self, precision: str) -> Path:
        """The one graph or engine of the whole chain."""
        (role,) = COMPOSED
        return self.chain.bundle.path(role) if precision == FLOAT32 else self.engine(precision).engines()[role]

    def backend(self, precision: str, *, cuda_graph: bool = True) -> Backend:
        """As ``edge-sr run`` makes it: with copies to the GPU or without, as was measured here."""
        if precision == FLOAT32 or not self.tensorrt:
            return OnnxRuntime(self.threads)
        from edge_sr.backends.trt import TensorRT
        from edge_sr.backends.trt.host_memory import tensorrt_as_measured

        as_run = tensorrt_as_measured()
        return as_run if cuda_graph else TensorRT(zero_copy=as_run.zero_copy, cuda_graph=False)

    @contextmanager
    def opened(self, precision: str, *, cuda_graph: bool = True) -> Iterator[Session]:
        """The session of float32 or of an engine, closed at the end; see ``backend``."""
        artifact = self.artifact(precision)
        with self.backend(precision, cuda_graph=cuda_graph).open(artifact) as session:
            yield session

    def feeds(self, session: Session, count: int = 1) -> list[Tensors]:
        """Pictures one a call, DISTINCT different ones in turn, each with noise of its own."""
        drawn = [self._feed(session, number) for number in range(min(count, DISTINCT))]
        return [drawn[number % len(drawn)] for number in range(count)]

    def _feed(self, session: Session, number: int) -> Tensors:
        pictures = self.pictures.check.lr
        lr = np.ascontiguousarray(pictures[number % len(pictures)][np.newaxis])  # (1, 1, tile, tile)
        return {spec.name: lr if spec.name == "lr" else _noise(spec, number) for spec in session.inputs}


def _noise(spec: TensorSpec, seed: int) -> np.ndarray:
    channels, height, width = (int(axis) for axis in spec.shape[1:])
    return noise_field(seed, (channels, height, width))
