from __future__ import annotations

import onnx
import pytest
from onnx import ModelProto

from edge_sr.artifacts.bundle import Bundle, default_bundle
from host_training.network import Levels, Stage, levels_of
from tests.bench.roofline.graphs import with_zeros


def default(role: str) -> ModelProto:
    return onnx.load(Bundle.open(default_bundle()).path(role))


def test_what_a_graph_leaves_open_has_no_levels() -> None:
    net = with_zeros("(float[N,1,h,w] x) => (float[N,1,h,w] y) <float[1,1,1,1] k = {2}>", "y = Conv(x, k)")
    assert levels_of(net) is None


def test_the_default_denoiser_goes_down_and_up() -> None:
    levels = levels_of(default("denoiser"))
    assert levels is not None and levels.is_u
    assert [stage.side for stage in levels.stages] == [32, 16, 8, 16, 32]
    assert levels.skips == ((1, 3), (0, 4))
    assert levels.stages[1].layers == ("3×3, 64 to 96", "3×3, 96 to 96")
    assert levels.stages[3].layers[0] == "up 2×2, 128 to 96"


def test_attention_stands_in_its_level() -> None:
    body = """
        a = Conv(x, w) q = Reshape(a, s) t = Transpose<perm=[0,2,1]>(q) m = MatMul(q, t) p = Softmax(m)
        o = MatMul(p, q) r = Reshape(o, back) y = Conv(r, w)
    """
    constants = "float[2,2,1,1] w, int64[3] s = {1, 2, 16}, int64[4] back = {1, 2, 4, 4}"
    levels = levels_of(with_zeros(f"(float[1,2,4,4] x) => (float[1,2,4,4] y) <{constants}>", body))
    assert levels == Levels((Stage(4, ("1×1, 2 to 2", "attention", "1×1, 2 to 2")),), ())
    assert not levels.is_u


@pytest.mark.parametrize(
    ("sides", "is_u"),
    [([4, 2, 4], True), ([4, 2], False), ([4, 2, 1, 2], False), ([2, 4, 2], False), ([4, 2, 4, 2, 4], False)],
)
def test_a_u_has_one_stage_a_level_on_each_side(sides: list[int], is_u: bool) -> None:
    assert Levels(tuple(Stage(side, ()) for side in sides), ()).is_u == is_u
