"""A model behind the service's protocol, and the decoder that fits it."""

from __future__ import annotations

import numpy as np
import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.cli.watch_work import Choice, LateDecoder, ModelWork
from edge_sr.errors import UsageError
from edge_sr.image.radiograph import Colour, Radiograph
from edge_sr.timing import Phases


def radiograph(seed: int) -> Radiograph:
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64), np.uint8)
    return Radiograph(pixels, 8, f"{seed:064x}")


@pytest.fixture
def work(tiny: Bundle) -> ModelWork:
    return ModelWork(Choice([str(tiny.folder)], seed=7, fidelity=0.5, threads=1), note=lambda line: None)


def test_the_key_before_computing_is_the_results_own(work: ModelWork) -> None:
    pictures = [radiograph(1), radiograph(2)]
    results = work(pictures, Phases())
    assert [work.job_key(each) for each in pictures] == [result.provenance["job_key"] for result in results]
    assert {result.provenance["seed"] for result in results} == {7}


def test_in_company_as_alone(work: ModelWork) -> None:
    pictures = [radiograph(number) for number in range(3)]
    alone = [work.encode(work([each], Phases())[0]) for each in pictures]
    assert [work.encode(each) for each in work(pictures, Phases())] == alone


def test_what_is_told_of_it(work: ModelWork, tiny: Bundle) -> None:
    told = work.description
    assert (told["model"], told["model_sha256"], told["instead_of"]) == ("tiny 0.0.1", tiny.sha256, None)
    assert (told["seed"], told["fidelity"], told["scale"]) == (7, 0.5, 4)


def test_options_that_a_model_has_not(tiny: Bundle) -> None:
    with pytest.raises(UsageError):
        ModelWork(Choice(["bicubic"], steps=2), note=lambda line: None)


class FakeDecoder:
    def __init__(self, colour: Colour) -> None:
        self.colour, self.closed = colour, False

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("colour", "channels", "made"),
    [("refuse", 1, ["refuse"]), ("refuse", 3, ["refuse", "rgb"]), ("luma", 3, ["luma"]), ("luma", 1, ["luma"])],
)
def test_a_model_of_three_channels_takes_colour_as_it_is(colour: Colour, channels: int, made: list[str]) -> None:
    decoders: list[FakeDecoder] = []

    def make(treatment: Colour) -> FakeDecoder:
        decoders.append(FakeDecoder(treatment))
        return decoders[-1]

    late = LateDecoder(make, colour)  # type: ignore[arg-type]
    late.fit(channels)
    late.close()
    assert [each.colour for each in decoders] == made and all(each.closed for each in decoders)
