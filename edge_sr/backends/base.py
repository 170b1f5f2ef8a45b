"""What a backend is: it opens a file and gives back a session, which turns feeds into outputs.

A new backend is one module beside this one with two classes of these shapes. ``FakeSession`` is the smallest of them;
it ships, and everything above this package is tested with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from edge_sr.errors import EdgeSRError
from edge_sr.tensors import Tensors, TensorSpec, check_feeds


class Session(Protocol):
    """One network, ready to run; a context manager that closes itself."""

    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    @property
    def times(self) -> Mapping[str, float]:
        """Milliseconds of the parts of the last ``run``: "copy_in", "compute", "copy_out"; {} where none is taken."""

    def run(self, feeds: Tensors, *, out: Tensors | None = None) -> Tensors:
        """Every output by name.

        out: C-contiguous arrays by name of output, of its shape and type, that are written into and given back; an
        output that is not among them is a new array. Raises EdgeSRError naming the tensor where the feeds do not fit
        ``inputs`` or ``out`` does not fit ``outputs``.
        """

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


def check_out(specs: Sequence[TensorSpec], out: Tensors) -> None:
    """Raise EdgeSRError naming the array that no output can be written into. Free axes are not looked at."""
    known = {spec.name: spec for spec in specs}
    for name, array in out.items():
        if name not in known:
            raise EdgeSRError(f"no such output: {name}", expected=", ".join(map(str, specs)))
        if not known[name].accepts(array):
            raise EdgeSRError(f"cannot take an output in {array.dtype}{list(array.shape)}", expected=str(known[name]))
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise EdgeSRError("cannot take an output", where=name, expected="a C-contiguous array that can be written")


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
        self.times: Mapping[str, float] = {}

    def run(self, feeds: Tensors, *, out: Tensors | None = None) -> Tensors:
        if self._function is None:
            raise EdgeSRError("session is closed")
        check_feeds(self.inputs, feeds)
        out = {} if out is None else out
        check_out(self.outputs, out)
        results = self._function(feeds)
        for name, array in out.items():
            if array.shape != results[name].shape:
                expected = str(list(results[name].shape))
                raise EdgeSRError(f"cannot take an output in {list(array.shape)}", where=name, expected=expected)
            np.copyto(array, results[name])
        return {**results, **out}

    def stream(self, feeds: Iterable[Tensors]) -> Iterator[Tensors]:
        return stream_by_run(self, feeds)

    def close(self) -> None:
        self._function = None

    def __enter__(self) -> FakeSession:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
