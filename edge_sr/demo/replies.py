"""What the page gets of a result: its pictures as raw numbers, and what there is to tell of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from starlette.responses import Response

from edge_sr.demo.desk import Made, Picture, bicubic, scores
from edge_sr.demo.planes import answer


def made_reply(picture: Picture, made: Made, names: Mapping[str, str], *, result_only: bool = False) -> Response:
    """names: of picture and result. result_only: the page has the others already."""
    interpolated, truth = bicubic(picture, made.scale), fitting_truth(picture, made)
    planes = {"result": made.result.pixels}
    if not result_only:
        planes = {"input": picture.lr.pixels, "bicubic": interpolated, **planes}
        planes |= {} if truth is None else {"truth": truth}
    header = {
        **names,
        "scale": made.scale,
        "note": picture.lr.note,
        "has_truth": truth is not None,
        "phases_ms": {name: round(ms, 3) for name, ms in made.phases_ms.items()},
        "provenance": made.result.provenance,
        "scores": _scores(picture, made, interpolated),
    }
    return _reply(header, planes)


def truth_reply(picture: Picture, made: Made, names: Mapping[str, str]) -> Response:
    assert picture.truth is not None, "it has just been given"
    return _reply({**names, "scores": _scores(picture, made, bicubic(picture, made.scale))}, {"truth": picture.truth})


def spread_reply(spread: np.ndarray, made_with: Mapping[str, object]) -> Response:
    """spread: (H, W) float32 in units of the full range; the figures are grey levels of 255."""
    figures = {
        "mean": round(float(spread.mean()) * 255, 3),
        "p99": round(float(np.quantile(spread, 0.99)) * 255, 3),
        "most": round(float(spread.max()) * 255, 3),
    }
    return _reply({**made_with, "grey_levels": figures}, {"spread": spread})


def fitting_truth(picture: Picture, made: Made) -> np.ndarray | None:
    """None where there is none of the result's size: models of another scale make another."""
    truth = picture.truth
    return truth if truth is not None and truth.shape == made.result.pixels.shape else None


def _scores(picture: Picture, made: Made, interpolated: np.ndarray) -> dict[str, object] | None:
    truth = fitting_truth(picture, made)
    if truth is None:
        return None
    return scores(truth, {"result": made.result.pixels, "bicubic": interpolated})


def _reply(header: Mapping[str, object], planes: Mapping[str, np.ndarray]) -> Response:
    content = b"".join(answer(header, planes))
    return Response(content, media_type="application/octet-stream", headers={"cache-control": "no-store"})
