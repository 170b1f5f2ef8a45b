"""A subject whose float32 network is a fake session: steps can be tried without an engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from build_engines.device_check.subject import Subject
from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.backends.base import FakeSession, Session
from edge_sr.tensors import TensorSpec

LR, SR = TensorSpec("lr", ("N", 1, 64, 64), "float32"), TensorSpec("sr", ("N", 1, 64, 64), "float32")


class FakeSubject(Subject):
    """on_call: at each run."""

    on_call: Callable[[], object] = staticmethod(lambda: None)

    @contextmanager
    def opened(self, precision: str, *, cuda_graph: bool = True) -> Iterator[Session]:
        def work(feeds: Any) -> Any:
            self.on_call()
            return {"sr": feeds["lr"]}

        with FakeSession((LR,), (SR,), work) as session:
            yield session


def fake_subject(fake: Bundle, on_call: Callable[[], object] = lambda: None) -> FakeSubject:
    pictures: Any = SimpleNamespace(check=SimpleNamespace(lr=np.zeros((1, 1, 64, 64), np.float32)))
    target: Any = SimpleNamespace(flavour="onnxruntime", backend=None)
    subject = FakeSubject(chain_of(fake), target, fake.folder, pictures)
    subject.on_call = on_call  # type: ignore[method-assign]
    return subject
