from __future__ import annotations

import pytest

from build_engines.device_check.energy import measure_energy
from build_engines.device_check.steps import NotAvailable
from edge_sr.artifacts.bundle import Bundle
from edge_sr.bench.energy import SETTLING
from edge_sr.device.power.find import Found
from edge_sr.device.power.meter import MeterFault
from tests.build_engines.device_check.subjects import FakeSubject, fake_subject
from tests.device.power.stand_ins import Clock, FakeMeter, SteppedRecorder

PICTURE_S = 0.25


class Board:
    """5 W, and 15 W from the first picture on; each takes PICTURE_S. The clock moves by pictures and waits alone."""

    def __init__(self, fake: Bundle) -> None:
        self.clock, self.pictures = Clock(), 0
        self.meter = FakeMeter(lambda now_s: 15.0 if self.pictures else 5.0, self.clock)
        self.recorder = SteppedRecorder(self.meter, self.clock)
        self.subject: FakeSubject = fake_subject(fake, self.picture)

    def picture(self) -> None:
        self.pictures += 1
        self.recorder.pass_time(PICTURE_S)

    def found(self) -> Found:
        return Found(self.meter, {})


def test_joules_a_picture_are_those_of_the_window_and_idle_was_before(fake: Bundle) -> None:
    board = Board(fake)
    figures = measure_energy(
        board.subject, "fp16", seconds=4.9, idle_s=2, find=board.found, recorder_of=lambda found: board.recorder
    ).figures
    assert figures["pictures"] == board.pictures - SETTLING == 20
    assert figures["joules_per_picture"] == pytest.approx(15 * PICTURE_S)
    assert figures["above_idle_joules_per_picture"] == pytest.approx(10 * PICTURE_S)
    assert figures["idle"]["power_w"] == pytest.approx(5) and figures["work"]["power_w"] == pytest.approx(15)  # type: ignore[index]


def test_without_a_meter_there_is_no_figure_and_what_was_looked_for_is_told(fake: Bundle) -> None:
    found = Found(None, {"jtop": MeterFault("is not installed")})
    with pytest.raises(NotAvailable, match="no power meter") as absent:
        measure_energy(fake_subject(fake), "fp16", seconds=0, idle_s=0, find=lambda: found)
    assert absent.value.figures == {"meter": None, "missing": {"jtop": "is not installed"}}


def test_a_meter_that_fails_gives_no_figure_and_its_reason(fake: Bundle) -> None:
    board = Board(fake)
    board.meter.fault = MeterFault("the bus is stuck")
    with pytest.raises(NotAvailable, match="the bus is stuck"):
        measure_energy(
            board.subject, "fp16", seconds=1, idle_s=1, find=board.found, recorder_of=lambda found: board.recorder
        )
