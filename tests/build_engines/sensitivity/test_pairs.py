"""Which convolutions hold which grid."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="graphs are written with onnx")

from build_engines.quantize import FLAVOURS, insert_qdq, placement
from build_engines.sensitivity.pairs import Pairs, sharing
from tests.build_engines.quantisable import composed, exact_ranges

both = pytest.mark.parametrize("flavour", list(FLAVOURS))


def shared(flavour: str, steps: int = 1) -> dict[str, frozenset[str]]:
    model = composed(steps)
    places = placement(model, flavour)
    return sharing(insert_qdq(model, exact_ranges(places), places))


@both
def test_every_int8_convolution_is_found(flavour: str) -> None:
    model = composed(2)
    places = placement(model, flavour)
    found = Pairs(insert_qdq(model, exact_ranges(places), places)).convolutions()
    assert [node.output[0] for node in found] == [each.name for each in places.convolutions]


@both
def test_a_grid_is_held_by_who_writes_it_and_who_reads_it(flavour: str) -> None:
    found = shared(flavour)
    assert found["decoder/h"] == {"decoder/e"}  # behind the sum and its ReLU
    assert found["decoder/e"] == {"decoder/c"}  # what it reads; and the branch that is added to it
    assert "denoiser0/i" not in found and found["denoiser0/prediction"] == {"denoiser0/h"}


@both
def test_steps_share_no_grid(flavour: str) -> None:
    found = shared(flavour, steps=2)
    assert not {name for name in found["denoiser1/e"] if name.startswith("denoiser0")}


@both
def test_what_is_joined_has_one_grid(flavour: str) -> None:
    found = shared(flavour)
    assert {"denoiser0/e", "denoiser0/g"} <= found["denoiser0/h"]  # the pool's reader and the other one that is joined
