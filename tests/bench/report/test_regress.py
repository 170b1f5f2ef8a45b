from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from edge_sr.bench.report import parse_limits, regressions
from edge_sr.bench.schema import Report
from edge_sr.errors import UsageError
from tests.bench.report import toy

LIMITS = parse_limits("p50=5%,psnr=0.05dB")


def with_first(**changed: Any) -> Report:
    return toy.small(variants=(toy.variant("int8-1", changed.pop("p50", 2.413), **changed),))


def test_the_same_run_stands() -> None:
    assert regressions(toy.small(), toy.small(), LIMITS) == ()


def test_a_slower_and_a_worse_variant_are_found() -> None:
    found = regressions(toy.small(), with_first(p50=2.6, quality=toy.quality(34.0, 0.8)), LIMITS)
    assert [str(each) for each in found] == [
        "int8 1: p50 2.41 -> 2.60 ms (1.077x, allowed: 5 %)",
        "int8 1: psnr 34.87 -> 34.00 dB (-0.87, allowed: 0.05 dB)",
    ]


def test_a_figure_that_no_limit_names_may_change() -> None:
    worse = with_first(memory=dataclasses.replace(toy.small().variants[0].memory, peak_mib=900.0))  # type: ignore[type-var]
    assert regressions(toy.small(), worse, LIMITS) == ()


def test_a_darker_picture_is_as_wrong_as_a_brighter_one() -> None:
    limits = parse_limits("mean_shift=0.1")
    for shift in (-0.4, 0.4):
        assert len(regressions(toy.small(), with_first(quality=toy.quality(34.87, 0.812, shift=shift)), limits)) == 1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"power_mode": "15W"}, "power mode: 25W against 15W"),
        (
            {"machine": {"board": "NVIDIA Jetson Orin NX"}},
            "board: NVIDIA Jetson Orin Nano against NVIDIA Jetson Orin NX",
        ),
        ({"gpu": {"name": "Thor"}}, "gpu name: Orin against Thor"),
        ({"versions": {"onnxruntime": "1.31.1", "tensorrt": "10.3.0"}}, "onnxruntime: 1.23.2 against 1.31.1"),
        ({"throttling": ("thermal",)}, "throttling: – against thermal"),
        ({"before": {"jetson_clocks": False}}, "jetson clocks: yes against no"),
    ],
)
def test_unlike_conditions_are_refused_by_name(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match="unlike conditions") as caught:
        regressions(toy.small(), toy.small(conditions=toy.conditions(**changed)), LIMITS)
    assert told in str(caught.value)


def test_a_simulated_run_is_no_judge_of_a_measured_one() -> None:
    with pytest.raises(UsageError, match="simulated: no against yes"):
        regressions(toy.small(), toy.small(simulated=True), LIMITS)


def test_packages_that_compute_nothing_and_a_new_kernel_may_differ() -> None:
    told = toy.conditions()
    versions = {**told.versions, "numpy": "2.3.0", "python": "3.10.14"}
    machine = {**told.machine, "system": "Linux 5.15.200", "memory_mib": 7619}
    other = toy.small(conditions=toy.conditions(versions=versions, machine=machine, throttling=None))
    assert regressions(toy.small(), other, LIMITS) == ()


@pytest.mark.parametrize("changed", [{"threads": 1}, {"size": (128, 128)}, {"backend": "tensorrt"}, {"steps": 4}])
def test_one_key_run_in_two_ways_is_refused(changed: dict[str, Any]) -> None:
    (name,) = changed
    with pytest.raises(UsageError, match=f"int8-1: .*{name}: "):
        regressions(toy.small(), with_first(**changed), LIMITS)


def test_a_new_model_may_be_judged() -> None:
    bundle = dataclasses.replace(toy.small().variants[0].bundle, sha256="cd" * 32)  # type: ignore[type-var]
    assert regressions(toy.small(), with_first(bundle=bundle), LIMITS) == ()


def test_quality_on_other_pictures_is_refused_where_quality_is_judged() -> None:
    other = with_first(quality=dataclasses.replace(toy.quality(34.87, 0.812), pictures=6))
    with pytest.raises(UsageError, match="pictures: 80 against 6"):
        regressions(toy.small(), other, LIMITS)
    assert regressions(toy.small(), other, parse_limits("p50=5%")) == ()


def test_what_was_not_measured_is_no_pass() -> None:
    with pytest.raises(UsageError, match="psnr was not measured, the baseline has it"):
        regressions(toy.small(), with_first(quality=None), LIMITS)
    with pytest.raises(UsageError, match="psnr was not measured in the baseline"):
        regressions(with_first(quality=None), toy.small(), LIMITS)


def test_no_variant_in_common_is_no_pass() -> None:
    with pytest.raises(UsageError, match="no variant of the baseline") as caught:
        regressions(toy.small(), toy.small(variants=(toy.variant("other", 2.0),)), LIMITS)
    assert "int8-1, fp32-1" in str(caught.value)
