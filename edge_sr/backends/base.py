"""What a backend is: it opens a file and gives back a session, which turns feeds into outputs.

A new backend is one module beside this one with two classes of these shapes. ``FakeSession`` is the smallest of them;
it ships, and everything above this package is tested with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Protocol

from edge_sr.errors import EdgeSRError
from edge_sr.tensors import Tensors, TensorSpec, check_feeds


class Session(Protocol):
    """One network, ready to run; a context manager that closes itself."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def run(self, feeds: Tensors) -> Tensors:
        """Every output by name. Raises EdgeSRError naming the tensor where the feeds do not fit ``inputs``."""

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        """The outputs of each feeds, in order; copies may overlap the compute of their neighbours."""

    def close(self) -> None:
        """Give memory and threads back; a second call does nothing. A closed session refuses to run."""

    def __enter__(self) -> Session: ...

    def __exit__(self, *exc: object) -> None: ...


class Backend(Protocol):
    """Something that runs networks. name and version go into the provenance of every output."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def open(self, artifact: Path) -> Session:
        """Raises IntegrityError naming the file where it is no network that this backend can run."""


def stream_by_run(session: Session, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
    """``Session.stream`` for a backend without overlap: one after the other, each when it is asked for."""
    for each in feeds:
        yield session.run(each)


class FakeSession:
    """A session without a backend: ``function`` maps checked feeds to outputs.

    >>> x, y = TensorSpec("x", ("N",), "float32"), TensorSpec("y", ("N",), "float32")
    >>> twice = FakeSession((x,), (y,), lambda feeds: {"y": feeds["x"] * 2})
    """

    def __init__(
        self, inputs: Iterable[TensorSpec], outputs: Iterable[TensorSpec], function: Callable[[Tensors], Tensors]
    ) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self._function: Callable[[Tensors], Tensors] | None = function

    def run(self, feeds: Tensors) -> Tensors:
        if self._function is None:
            raise EdgeSRError("session is closed")
        check_feeds(self.inputs, feeds)
        return self._function(feeds)

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        return stream_by_run(self, feeds)

    def close(self) -> None:
        self._function = None

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
