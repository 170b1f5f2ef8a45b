"""How many pictures a build looks at, by what one costs."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="the costs are those of onnx graphs")

from build_engines.chain_graphs import float_graphs
from build_engines.check.effort import FULL, Effort
from build_engines.sensitivity.macs import effort_of, macs
from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import chain_of


def test_nothing_is_left_out_of_a_cheap_picture() -> None:
    effort = Effort({"a": int(FULL) // 2, "b": int(FULL) // 2})
    assert effort.full and effort.of(24, 4) == 24


def test_fewer_where_a_picture_costs_more() -> None:
    assert not Effort({"a": 2 * int(FULL)}).full
    assert [Effort({"a": times * int(FULL)}).of(24, 4) for times in (2, 3, 100)] == [12, 8, 4]
    assert Effort({"a": 100 * int(FULL)}).of(2, 4) == 2  # never more than was asked for


def test_a_denoiser_that_stands_alone_counts_once_a_step(tiny: Bundle) -> None:
    chain = chain_of(tiny, sampler="ddpm", steps=3)
    graphs = float_graphs(chain)
    once = {role: sum(macs(model).values()) for role, model in graphs.items()}
    assert effort_of(chain, graphs).total == once["encoder"] + 3 * once["denoiser"] + once["decoder"]
