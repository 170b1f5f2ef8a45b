"""What the parts of a chain hand over, and what its graphs are fed with."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.check.stages import put_out, recorded_feeds, stages  # noqa: E402
from build_engines.compose import standalone  # noqa: E402
from calibration.collect import Batches  # noqa: E402
from edge_sr.backends.onnxrt import OnnxRuntime  # noqa: E402
from tests.build_engines.quantisable import composed, networks  # noqa: E402
from tests.build_engines.sr_models import opened, pictures  # noqa: E402


def test_the_stages_of_a_composed_graph_in_order() -> None:
    found = stages(composed(2))
    assert found[0] == "encoder/cond"
    assert [name for name in found if name.startswith("denoiser")] == ["denoiser0/prediction", "denoiser1/prediction"]
    assert found[-1].startswith("decoder/")
    assert len(found) == 5  # and the latents between the steps


def test_a_network_alone_has_none() -> None:
    assert stages(standalone(networks()["denoiser"], "denoiser")) == ()


def test_put_out_takes_what_the_graph_has() -> None:
    model = put_out(composed(1), ["encoder/cond", "encoder/none", "sr"])
    assert [port.name for port in model.graph.output] == ["sr", "encoder/cond"]
    onnx.checker.check_model(model, full_check=True)


def test_feeds_are_those_of_the_running_model() -> None:
    shown = pictures(3, tile=16)
    batches = Batches(shown.lr, shown.noise_seeds, (1.0, 0.0), size=1)
    backend = OnnxRuntime(1, spinning=False)
    feeds = recorded_feeds(lambda watched: opened(composed(1), watched), batches, backend=backend)
    assert list(feeds) == ["upscale"] and len(feeds["upscale"]) == 6
    assert sorted(feeds["upscale"][0]) == ["lr", "noise"]
    assert not feeds["upscale"][0]["noise"].any() and feeds["upscale"][1]["noise"].any()
    few = recorded_feeds(lambda watched: opened(composed(1), watched), batches, backend=backend, most=2)["upscale"]
    assert len(few) == 2
    np.testing.assert_array_equal(few[-1]["lr"], feeds["upscale"][-1]["lr"])
