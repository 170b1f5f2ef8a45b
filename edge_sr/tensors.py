"""Names, shapes and types of the arrays that go in and out of a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from edge_sr.errors import EdgeSRError

Tensors = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a network.

    shape: an int for a fixed axis, a name (str) for a free one, e.g. ``("N", 1, 64, 64)``.
    dtype: numpy's name of the element type, e.g. ``"float32"``.
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join(map(str, self.shape))}]"

    def accepts(self, array: np.ndarray) -> bool:
        """True where dtype, rank and every fixed axis agree."""
        return (
            array.dtype == np.dtype(self.dtype)
            and array.ndim == len(self.shape)
            and all(isinstance(want, str) or want == got for want, got in zip(self.shape, array.shape, strict=True))
        )


def check_feeds(specs: Sequence[TensorSpec], feeds: Tensors) -> None:
    """Raise EdgeSRError naming the tensor, what came and what was expected."""
    wanted = {spec.name for spec in specs}
    if unknown := set(feeds) - wanted:
        raise EdgeSRError(f"no such input: {', '.join(sorted(unknown))}", expected=", ".join(map(str, specs)))
    for spec in specs:
        if spec.name not in feeds:
            raise EdgeSRError("input is missing", where=spec.name, expected=str(spec))
        if not spec.accepts(feeds[spec.name]):
            array = feeds[spec.name]
            raise EdgeSRError(f"got {array.dtype}{list(array.shape)}", where=spec.name, expected=str(spec))
