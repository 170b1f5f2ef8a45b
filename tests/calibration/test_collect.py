"""Observing a composed graph: the tiny bundle's chain at two and three steps."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import Chain, chain_of
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import IntegrityError, UsageError

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.chain_graphs import float_graphs, running  # noqa: E402
from calibration.choose import Observed  # noqa: E402
from calibration.collect import Batches, collect, exposed  # noqa: E402
from calibration.steps import layer_of  # noqa: E402

NOISE_SHAPE = (4, 32, 32)
LR = np.random.default_rng(0).random((5, 1, 64, 64)).astype(np.float32)
SEEDS = (3, 1, 4, 1, 5)


@pytest.fixture(scope="module")
def chain(tiny: Bundle) -> Chain:
    return chain_of(tiny, steps=2)


def predictions(chain: Chain) -> list[str]:
    """What the denoiser gives in each step."""
    names = [name for node in float_graphs(chain)["upscale"].graph.node for name in node.output]
    return [name for name in names if layer_of(name)[0] == "denoiser/prediction"]


def observed(chain: Chain, tensors: Sequence[str], **options: int) -> dict[str, Observed]:
    graphs = {"upscale": exposed(float_graphs(chain)["upscale"], tensors)}
    batches = Batches(LR, SEEDS, **options)
    return collect(partial(running, chain, graphs), tensors, batches, backend=OnnxRuntime(1, spinning=False))


def test_what_is_observed_is_what_the_graph_computes(chain: Chain) -> None:
    (prediction, _) = predictions(chain)
    seen = observed(chain, [prediction, "noise", "sr"])
    noise = np.concatenate([noise_field(seed, NOISE_SHAPE) for seed in SEEDS])
    cond = LR.reshape(5, 1, 32, 2, 32, 2).mean((3, 5)) * np.reshape([1, 0.5, 0.25, 0.125], (1, 4, 1, 1))
    expected = np.concatenate([cond + 0.1 * noise * (1 - fidelity) + 299e-4 for fidelity in (1, 0.5, 0)])
    whole = seen[prediction].whole
    assert whole.count == expected.size
    assert (whole.minimum, whole.maximum) == pytest.approx((expected.min(), expected.max()), abs=1e-5)
    assert (seen["noise"].whole.minimum, seen["noise"].whole.maximum) == (noise.min(), noise.max())
    assert seen["noise"].whole.zeros == noise.size  # at fidelity 1
    assert seen["sr"].whole.maximum <= 1
    assert [half.count // (3 * 64 * 64 // 4 * 4) for half in seen["noise"].halves] == [3, 2]  # pictures in either half


def test_steps_that_differ_have_ranges_of_their_own(tiny: Bundle) -> None:
    chain = chain_of(tiny, steps=3)
    ranges = [(seen.whole.minimum, seen.whole.maximum) for seen in observed(chain, predictions(chain)).values()]
    assert len(set(ranges)) == 3


@pytest.mark.parametrize("size", [1, 2, 16])
def test_batches_change_nothing(chain: Chain, size: int) -> None:
    names = predictions(chain)
    one, other = observed(chain, names), observed(chain, names, size=size)
    assert len(Batches(LR, SEEDS, size=size)) == len(list(Batches(LR, SEEDS, size=size)))
    for name in names:
        for a, b in zip(one[name].halves, other[name].halves, strict=True):
            assert (a.count, a.width) == (b.count, b.width)
            assert (a.minimum, a.maximum) == pytest.approx((b.minimum, b.maximum), abs=1e-6)
            assert np.abs(np.cumsum(a.counts) - np.cumsum(b.counts)).max() <= a.count * 1e-3  # the last bit of a sum


def test_two_runs_are_equal(chain: Chain) -> None:
    one, other = (observed(chain, predictions(chain)) for _ in range(2))
    for name in one:
        assert np.array_equal(one[name].whole.counts, other[name].whole.counts)


def test_the_graph_is_left_alone(chain: Chain) -> None:
    model = float_graphs(chain)["upscale"]
    before = model.SerializeToString()
    names = predictions(chain)
    more = exposed(model, [*names, "lr", "sr"])
    assert [port.name for port in more.graph.output] == ["sr", *names]
    assert model.SerializeToString() == before


def test_a_tensor_that_is_not_there_is_named(chain: Chain) -> None:
    with pytest.raises(UsageError, match="denoiser9/relu: no such tensor; expected an activation"):
        exposed(float_graphs(chain)["upscale"], ["denoiser9/relu"])


def test_a_tensor_of_integers_is_refused(chain: Chain) -> None:
    model = float_graphs(chain)["upscale"]
    flags = next(node.output[0] for node in model.graph.node if node.op_type == "Greater")
    with pytest.raises(UsageError, match="is no float32 tensor"):
        exposed(model, [flags])


def test_nothing_to_observe_and_nothing_to_observe_it_on(chain: Chain) -> None:
    opened = partial(running, chain, float_graphs(chain))
    with pytest.raises(UsageError, match="no tensor to observe"):
        collect(opened, [], Batches(LR, SEEDS), backend=OnnxRuntime(1))
    with pytest.raises(UsageError, match="sr: was not observed; expected one picture or more"):
        collect(opened, ["sr"], [], backend=OnnxRuntime(1))


def test_a_tensor_of_nan_is_named(chain: Chain) -> None:
    with pytest.raises(IntegrityError, match="^lr: holds NaN or Inf"):
        collect(
            partial(running, chain, float_graphs(chain)),
            ["lr"],
            Batches(np.full((1, 1, 64, 64), np.nan, np.float32), [0]),
            backend=OnnxRuntime(1),
        )
