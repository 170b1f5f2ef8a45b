"""A whole bench of tiny models, with the shortest stages that there can be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench import measure
from edge_sr.bench.latency import WarmUp
from edge_sr.bench.plan import Plan
from edge_sr.bench.run import bench
from edge_sr.bench.scales import Scales
from edge_sr.bench.schema import Report, parse_report
from edge_sr.bench.variants import Wish
from edge_sr.device.power.find import Found
from edge_sr.errors import UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from tests.device.power.stand_ins import Clock, FakeMeter, SteppedRecorder

PLAN = Plan(minutes=0.0001, rounds=1, batches=(1, 2), cold_starts=0)


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "STREAMED", 2)
    monkeypatch.setattr(measure, "warm_up", lambda call, **limits: WarmUp(0, 0.0, True))


def run(*models: object, plan: Plan = PLAN) -> Report:
    wish = Wish(tuple(map(str, models)), ("fp32",), threads=(1,))
    return bench(wish, plan, tell=lambda line: None, scales=Scales(find=lambda: Found(None, {})))


def test_everything_that_can_be_had_is_in_the_report(tiny: Bundle) -> None:
    report = run(tiny.folder, "bicubic")
    network, bicubic = report.variants
    assert (network.model, network.sampler, network.steps, network.engine) == ("tiny", "ddim", 1, None)
    assert network.bundle is not None and network.bundle.sha256 == tiny.sha256 and bicubic.bundle is None
    assert network.file_latency is not None and network.latency.calls == network.file_latency.calls == 3
    assert [point.batch for point in network.throughput] == [1, 2] and network.stream_pictures_per_s
    assert report.power is None and network.energy is None and network.memory is None and network.quality is None
    assert not report.simulated and report.conditions.machine["cores"] >= 1
    assert any("only 3 calls" in warning for warning in report.warnings)


def test_it_survives_being_written_down(tiny: Bundle) -> None:
    report = run(tiny.folder)
    assert parse_report(json.loads(json.dumps(report.to_json()))) == report


def test_no_folder_of_the_user_is_in_it(tiny: Bundle, tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", chest_phantom(64), text={})
    report = run(tiny.folder, plan=replace(PLAN, quality=tmp_path, hr_side=0))
    text = json.dumps(report.to_json())
    assert str(tiny.folder.parent) not in text and str(tmp_path) not in text
    assert report.options["quality"] == tmp_path.name


def test_quality_and_panels_are_of_the_folder(tiny: Bundle, tmp_path: Path) -> None:
    for seed in range(3):
        write_png(tmp_path / f"{seed}.png", chest_phantom(64, seed=seed), text={})
    report = run(tiny.folder, plan=replace(PLAN, quality=tmp_path, limit=2, hr_side=0))
    quality = report.variants[0].quality
    assert quality is not None and quality.pictures == 2 and "lpips" not in quality.metrics
    assert report.panels[0].picture == quality.worst[0].picture
    assert set(report.panels[0].images.values()) <= set(report.pictures)


def test_energy_comes_with_the_power_over_time_and_each_ones_window(tiny: Bundle) -> None:
    clock = Clock()
    meter = FakeMeter(lambda now_s: 9.0, clock)

    class Passing(SteppedRecorder):
        """Each look at the clock moves it."""

        def __init__(self) -> None:
            super().__init__(meter, clock)
            self.clock = self.look_and_move

        def look_and_move(self) -> float:
            self.pass_time(0.1)
            return clock()

    report = bench(
        Wish(("bicubic",)),
        PLAN,
        tell=lambda line: None,
        scales=Scales(clock(), find=lambda: Found(meter, {}), recorder_of=lambda found: Passing()),
    )
    energy, power = report.variants[0].energy, report.power
    assert energy is not None and power is not None
    assert energy.power_w == pytest.approx(9.0) and power.windows[0].variant == report.variants[0].key
    assert {watts for _, watts in power.samples} == {9.0}
    assert power.samples[0][0] <= power.windows[0].start_s < power.windows[0].end_s <= power.samples[-1][0] + 0.1


def test_a_device_that_does_not_exist_is_refused_before_any_work() -> None:
    with pytest.raises(UsageError, match="no such device"):
        run("bicubic", plan=replace(PLAN, roofline=("toaster",)))


def test_a_predicted_limit_of_a_board_is_told_for_each_variant_that_has_a_network(tiny: Bundle) -> None:
    report = run(tiny.folder, "bicubic", plan=replace(PLAN, roofline=("orin-nano-8gb-15w",)))
    assert report.roofline is not None
    assert list(report.roofline) == [f"orin-nano-8gb-15w: {report.variants[0].title}"]
