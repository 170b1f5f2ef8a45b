from __future__ import annotations

import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
compose = pytest.importorskip("build_engines.compose", reason="the build's own projection")

from edge_sr.bench.roofline.projected import with_projection  # noqa: E402
from edge_sr.bench.roofline.work import PROJECTION, work_of  # noqa: E402
from tests import tiny_generator  # noqa: E402


@pytest.mark.parametrize(("channels", "rounds"), [(1, 0), (1, 3), (3, 2)])
def test_it_costs_what_the_build_writes(channels: int, rounds: int) -> None:
    generator = tiny_generator.generator(channels)
    counted = work_of(with_projection(generator, scale=4, rounds=rounds))
    built = work_of(compose.compose_generator(generator, scale=4, projection_rounds=rounds))
    operations = sum(work.operations for work in counted if work.stage == PROJECTION)
    assert operations == pytest.approx(sum(work.operations for work in built if work.stage == PROJECTION), rel=1e-3)


def test_the_generator_is_a_stage_of_its_own_and_left_alone() -> None:
    generator = tiny_generator.generator()
    before = generator.SerializeToString()
    works = work_of(with_projection(generator, scale=4, rounds=1))
    assert [work.stage for work in works].count("generator") == len(generator.graph.node)
    assert generator.SerializeToString() == before
