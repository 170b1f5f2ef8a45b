"""Observing a composed graph: the tiny bundle's chain at two and three steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.diffusion.noise import noise_field
from edge_sr.errors import IntegrityError, UsageError

onnx = pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines.bundle_graph import bundle_graph  # noqa: E402
from calibration.choose import Observed  # noqa: E402
from calibration.collect import Batches, collect, exposed  # noqa: E402
from calibration.steps import layer_of  # noqa: E402

NOISE_SHAPE = (4, 32, 32)
LR = np.random.default_rng(0).random((5, 1, 64, 64)).astype(np.float32)
SEEDS = (3, 1, 4, 1, 5)


@pytest.fixture(scope="module")
def chain(tiny: Bundle) -> onnx.ModelProto:
    return bundle_graph(tiny, steps=2).model


def predictions(model: onnx.ModelProto) -> list[str]:
    """What the denoiser gives in each step."""
    names = [name for node in model.graph.node for name in node.output]
    return [name for name in names if layer_of(name)[0] == "denoiser/prediction"]


def observed(
    model: onnx.ModelProto, tensors: Sequence[str], *, order: Sequence[int] = range(5), **options: object
) -> dict[str, Observed]:
    batches = Batches(LR[list(order)], [SEEDS[n] for n in order], NOISE_SHAPE, **options)  # type: ignore[arg-type]
    return collect(model, tensors, batches, backend=OnnxRuntime(1, spinning=False))


def test_what_is_observed_is_what_the_graph_computes(chain: onnx.ModelProto) -> None:
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
    model = bundle_graph(tiny, steps=3).model
    ranges = [(seen.whole.minimum, seen.whole.maximum) for seen in observed(model, predictions(model)).values()]
    assert len(set(ranges)) == 3


@pytest.mark.parametrize("size", [1, 2, 16])
def test_batches_change_nothing(chain: onnx.ModelProto, size: int) -> None:
    names = predictions(chain)
    one, other = observed(chain, names), observed(chain, names, size=size)
    assert len(Batches(LR, SEEDS, NOISE_SHAPE, size=size)) == len(list(Batches(LR, SEEDS, NOISE_SHAPE, size=size)))
    for name in names:
        for a, b in zip(one[name].halves, other[name].halves, strict=True):
            assert (a.count, a.width) == (b.count, b.width)
            assert (a.minimum, a.maximum) == pytest.approx((b.minimum, b.maximum), abs=1e-6)
            assert np.abs(np.cumsum(a.counts) - np.cumsum(b.counts)).max() <= a.count * 1e-3  # the last bit of a sum


def test_two_runs_are_equal(chain: onnx.ModelProto) -> None:
    one, other = (observed(chain, predictions(chain)) for _ in range(2))
    for name in one:
        assert np.array_equal(one[name].whole.counts, other[name].whole.counts)


def test_the_model_is_left_alone(chain: onnx.ModelProto) -> None:
    before = chain.SerializeToString()
    names = predictions(chain)
    more = exposed(chain, [*names, "lr", "sr"])
    assert [port.name for port in more.graph.output] == ["sr", *names]
    assert chain.SerializeToString() == before


def test_a_tensor_that_is_not_there_is_named(chain: onnx.ModelProto) -> None:
    with pytest.raises(UsageError, match="denoiser9/relu: no such tensor; expected an activation"):
        observed(chain, ["denoiser9/relu"])


def test_a_tensor_of_integers_is_refused(chain: onnx.ModelProto) -> None:
    flags = next(node.output[0] for node in chain.graph.node if node.op_type == "Greater")
    with pytest.raises(UsageError, match="is no float32 tensor"):
        observed(chain, [flags])


def test_nothing_to_observe_and_nothing_to_observe_it_on(chain: onnx.ModelProto) -> None:
    with pytest.raises(UsageError, match="no tensor to observe"):
        observed(chain, [])
    with pytest.raises(UsageError, match="no picture to calibrate on"):
        collect(chain, ["sr"], [], backend=OnnxRuntime(1))


def test_a_tensor_of_nan_is_named() -> None:
    graph = "(float[N,1,4,4] lr, float[N,1,2,2] noise) => (float[N,1,4,4] sr) { bad = Log(lr)  sr = Sub(bad, bad) }"
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> broken {graph}')
    batches = Batches(np.full((1, 1, 4, 4), -1, np.float32), [0], (1, 2, 2))
    with pytest.raises(IntegrityError, match="^bad: holds NaN or Inf"):
        collect(model, ["bad"], batches, backend=OnnxRuntime(1))
