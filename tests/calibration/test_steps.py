"""The same layer in every step."""

from __future__ import annotations

from calibration.steps import by_layer, layer_of, shared_over_steps

RANGES = {
    "encoder/relu_1": (0.0, 2.0),
    "denoiser0/cat": (-1.0, 4.0),
    "denoiser0/relu": (0.0, 1.0),
    "denoiser1/cat": (-3.0, 2.0),
    "denoiser1/relu": (0.0, 5.0),
}


def test_a_tensor_is_a_layer_in_a_step() -> None:
    assert layer_of("denoiser12/relu_3") == ("denoiser/relu_3", 12)
    assert layer_of("encoder/relu_3") == ("encoder/relu_3", 0)
    assert layer_of("add_7") == ("add_7", 0)


def test_layers_keep_their_order_and_steps_are_counted_as_numbers() -> None:
    tensors = dict.fromkeys([*reversed([f"denoiser{n}/relu" for n in range(11)]), "decoder/relu"])
    assert by_layer(tensors) == {
        "denoiser/relu": [f"denoiser{n}/relu" for n in range(11)],
        "decoder/relu": ["decoder/relu"],
    }


def test_a_shared_range_holds_those_of_all_steps() -> None:
    assert shared_over_steps(RANGES) == {
        "encoder/relu_1": (0.0, 2.0),
        "denoiser0/cat": (-3.0, 4.0),
        "denoiser0/relu": (0.0, 5.0),
        "denoiser1/cat": (-3.0, 4.0),
        "denoiser1/relu": (0.0, 5.0),
    }
