"""Ranges by what they do to the picture: in a model whose error is known, range by range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest

pytest.importorskip("onnx", reason="the module writes graphs with onnx")
pytest.importorskip("onnxruntime", reason="the module runs graphs in ONNX Runtime")

from build_engines.ranges.refine import PATIENCE, PICTURES, refined_ranges
from calibration.observers import Range
from tests.build_engines.sr_models import Enlarger, pictures

SHOWN = pictures(2, tile=16)
BEST = {"first": (0.0, 1.0), "middle": (-1.0, 1.45), "last": (-0.7, 0.7)}


@dataclass(frozen=True)
class Ranges:
    """Stands for a quantiser: its "graphs" are the ranges themselves."""

    ranges: Mapping[str, Range]
    flavour: str = "onnxruntime"

    @property
    def tensors(self) -> tuple[str, ...]:
        return tuple(self.ranges)

    def graphs(self) -> dict[str, Mapping[str, Range]]:
        return {"upscale": self.ranges}


def stripes(name: str) -> np.ndarray:
    """(64, 64) of -1 and 1, of another width for each tensor."""
    width = 4 ** list(BEST).index(name)
    return np.where(np.arange(64) // width % 2, 1, -1)[None].repeat(64, 0).astype(np.float32)


def refined(start: Mapping[str, Range], opened: list[dict[str, Range]] | None = None) -> dict[str, Range]:
    """An error that grows with the distance of each range from the BEST one."""

    @contextmanager
    def open_model(graphs: Mapping[str, Mapping[str, Range]]) -> Iterator[Enlarger]:
        ranges = graphs["upscale"]
        if opened is not None:
            opened.append(dict(ranges))
        far = {name: abs(ranges[name][0] - best[0]) + abs(ranges[name][1] - best[1]) for name, best in BEST.items()}
        error = sum((stripes(name) * 0.02 * distance for name, distance in far.items()), np.zeros((64, 64)))
        yield Enlarger(lambda sr: sr + error)

    told: list[str] = []
    found = refined_ranges(Ranges(start), Enlarger(), open_model, SHOWN, tell=told.append)  # type: ignore[arg-type]
    assert f"{len(found)} of {len(start)} ranges changed by their effect on the picture, error x" in told[0]
    return found


def test_what_lowers_the_error_stays_and_the_rest_is_as_it_was() -> None:
    found = refined({"first": (0.0, 1.0), "middle": (-1.0, 1.2), "last": (-1.0, 1.0)})
    assert found["last"] == (-0.7, 0.7)  # both ends
    assert found["middle"] == pytest.approx((-1.0, 1.44))  # one end alone, as near as the tries come
    assert set(found) == {"middle", "last"}


def test_the_last_tensor_is_tried_first_and_the_others_with_what_was_found() -> None:
    opened: list[dict[str, Range]] = []
    refined({"first": (0.0, 1.0), "middle": (-1.0, 1.45), "last": (-1.0, 1.0)}, opened)
    tried = ["".join(n for n, r in ranges.items() if n != "last" and r != BEST[n]) for ranges in opened]
    # Of a range that starts at 0, or lies evenly around it, both ends alone are tried together.
    assert tried == ["", *[""] * 4, *["middle"] * 12, *["first"] * 4]
    assert all(ranges["last"] == (-0.7, 0.7) for ranges in opened[5:])


def test_ranges_that_are_right_stay() -> None:
    assert refined(BEST) == {}


def test_after_many_tensors_without_a_gain_those_before_them_are_left() -> None:
    idle = {f"idle{number}": (0.0, 1.0) for number in range(PATIENCE)}
    assert refined({**BEST, "middle": (-1.0, 1.0), **idle}) == {}
    right = {name: limits for name, limits in BEST.items() if name != "middle"}
    assert list(refined({**right, **idle, "middle": (-1.0, 1.2)})) == ["middle"]


def test_few_pictures_evenly_taken_do() -> None:
    asked: list[float] = []

    @contextmanager
    def open_model(graphs: object) -> Iterator[Enlarger]:
        model = Enlarger()
        yield model
        asked.append(len(model.calls))

    many = pictures(PICTURES + 3, tile=16)
    refined_ranges(Ranges({"a": (0.0, 1.0)}), Enlarger(), open_model, many, tell=lambda line: None)  # type: ignore[arg-type]
    assert set(asked) == {PICTURES}  # of a model without noise; one fidelity
