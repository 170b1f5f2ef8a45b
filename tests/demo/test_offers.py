"""edge_sr/demo/offers.py: what may be asked for on this machine, as models and engine cache tell."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_key import machine_for
from edge_sr.backends.onnxrt import OnnxRuntime
from edge_sr.demo.declined import Declined
from edge_sr.demo.offers import MOST_OPEN, Models, Offer, Variant, offers_of
from edge_sr.device.facts import read_facts
from edge_sr.errors import EnvironmentFault
from edge_sr.models.bicubic import Bicubic
from tests.engine_entries import KEY, manifest_of, put


class Closing(Bicubic):
    """Counts how many are open."""

    open_now = 0

    def __init__(self) -> None:
        Closing.open_now += 1

    def close(self) -> None:
        Closing.open_now -= 1


def offer(*steps: int) -> Offer:
    variants = tuple(Variant(each, "fp32", None, each == steps[0], Closing) for each in steps)
    return Offer("some", "some 1.0", 4, True, 1.0, 0, variants)


def test_a_diffusion_model_has_steps_and_a_knob(tiny: Bundle) -> None:
    (told,) = offers_of([str(tiny.folder)])
    assert told.draws_noise and [each.steps for each in told.variants if each.default] == [1]
    assert told.word == "bundle-0" and str(tiny.folder) not in str(told.to_json())


def test_a_feed_forward_model_has_neither(generator: Bundle) -> None:
    (told,) = offers_of([str(generator.folder)])
    assert not told.draws_noise and [each.steps for each in told.variants] == [None]


def test_a_precision_without_engines_leaves_a_model_out(tiny: Bundle) -> None:
    notes: list[str] = []
    assert [each.word for each in offers_of([str(tiny.folder), "bicubic"], precision="int8", note=notes.append)] == [
        "bicubic"
    ]
    assert len(notes) == 1 and "int8" in notes[0]
    with pytest.raises(EnvironmentFault, match="int8"):
        offers_of([str(tiny.folder)], precision="int8")


def test_a_number_of_steps_that_an_engine_was_built_for_is_offered(tiny: Bundle, engine_cache: Path) -> None:
    machine = machine_for(OnnxRuntime(), read_facts())
    key = replace(KEY, steps=3, chain_sha256=chain_of(tiny, steps=3).sha256, **asdict(machine))
    entry = put(engine_cache, manifest_of(key))
    (told,) = offers_of([str(tiny.folder)])
    rows = [(each.steps, each.precision, each.engine, each.default) for each in told.variants]
    assert rows == [(1, "fp32", None, True), (3, "int8", entry.name, False)]
    (narrow,) = offers_of([str(tiny.folder)], precision="int8")
    assert [(each.steps, each.default) for each in narrow.variants] == [(3, True)]


def test_an_engine_of_another_model_offers_no_steps(tiny: Bundle, engine_cache: Path) -> None:
    put(engine_cache, manifest_of(replace(KEY, steps=3)))
    (told,) = offers_of([str(tiny.folder)])
    assert [each.steps for each in told.variants] == [1]


def test_what_is_not_offered_is_declined() -> None:
    models = Models([offer(1, 2)])
    with pytest.raises(Declined, match="3 steps"):
        models.get("some", 3)
    with pytest.raises(Declined, match="not offered"):
        models.get("other")


def test_few_models_are_open_at_a_time() -> None:
    Closing.open_now = 0
    models = Models([offer(*range(1, 9))])
    for steps in range(1, 9):
        models.get("some", steps)
    assert Closing.open_now == MOST_OPEN
    assert models.get("some", 8) is models.get("some", 8)
    models.close()
    assert Closing.open_now == 0


def test_none_takes_the_default() -> None:
    told = replace(offer(4, 2))
    assert told.variant(None).steps == 4 and Models([told]).offer(None) is told
