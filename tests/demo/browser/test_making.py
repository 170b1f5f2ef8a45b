"""Making it again: model, steps, fidelity, seed, and what is told and taken along of a result."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edge_sr.demo.desk import Desk
from edge_sr.demo.folder import FolderPlan
from edge_sr.demo.serve import Show
from edge_sr.device.power.recorder import Recorder
from tests.demo.browser.conftest import Open
from tests.demo.meters import TwoWatts
from tests.demo.serving import served


def provenance(page: Any) -> dict[str, Any]:
    """Of the result that is shown."""
    with page.expect_download() as waiting:
        page.click("#provenance")
    return dict(json.loads(Path(waiting.value.path()).read_text("utf-8")))


def test_the_fidelity_knob_makes_it_again(open_page: Open) -> None:
    page = open_page()
    page.focus("#fidelity")
    page.keyboard.press("Home")
    page.wait_for_timeout(600)
    assert page.inner_text("#fidelity-value") == "0.00" and provenance(page)["fidelity"] == 0


def test_while_the_knob_turns_the_last_wish_counts(open_page: Open) -> None:
    page = open_page()
    page.focus("#fidelity")
    for _ in range(11):
        page.keyboard.press("ArrowLeft")
    page.wait_for_timeout(800)
    assert page.inner_text("#fidelity-value") == "0.45" and provenance(page)["fidelity"] == 0.45


def test_another_seed_is_another_sample(open_page: Open) -> None:
    page = open_page()
    page.click("#roll")
    seed = int(page.input_value("#seed"))
    page.wait_for_timeout(500)
    assert provenance(page)["seed"] == seed


def test_a_seed_that_cannot_be_is_put_right(open_page: Open) -> None:
    page = open_page()
    page.fill("#seed", "-3")
    page.press("#seed", "Enter")
    assert page.input_value("#seed") == "0" and not page.is_visible("#fault")


def test_a_model_that_draws_nothing_has_no_knob(open_page: Open) -> None:
    page = open_page()
    page.click('#model label:has-text("bundle-1")')
    page.wait_for_selector("#made-model:has-text('tiny')")
    page.wait_for_selector("#fidelity:disabled")
    page.wait_for_selector('#after input[value="spread"]:disabled')
    assert "draws no noise" in page.inner_text("#fidelity-note")


def test_what_it_took_and_what_made_it_is_told(open_page: Open) -> None:
    page = open_page()
    assert "compute" in page.inner_text("#phase-list") and "ms" in page.inner_text("#phase-list")
    assert page.inner_text("#made-precision").startswith("fp32") and "onnxruntime" in page.inner_text("#made-backend")
    assert page.inner_text("#energy") == "no meter on this machine"


def test_the_downloaded_picture_is_the_result_with_its_provenance(open_page: Open) -> None:
    page = open_page()
    with page.expect_download() as waiting:
        page.click("#png")
    picture = Image.open(io.BytesIO(Path(waiting.value.path()).read_bytes()))
    assert waiting.value.suggested_filename == "sample-0_x4.png" and np.asarray(picture).shape == (256, 256)
    told = provenance(page)
    assert json.loads(picture.info["edge-sr"])["job_key"] == told["job_key"] and "phases_ms" in told  # type: ignore[attr-defined]


def test_a_folder_is_worked_through_by_a_button(open_page: Open, show: Show, plan: Callable[[], FolderPlan]) -> None:
    with served(Show(show.models, threads=1, folder=plan)) as address:
        page = open_page(address)
        page.click("#folder-start")
        page.wait_for_selector("#folder-state:has-text('done: 2 pictures')")
        assert page.inner_text("#folder-failed") == "1" and page.inner_text("#folder-left") == "2"
        assert page.inner_text("#watts-title") == "Watts: no meter on this machine"
        assert page.is_enabled("#folder-start") and page.inner_text("#folder-rate") != "–"


def test_without_a_folder_there_is_no_strip(open_page: Open) -> None:
    assert not open_page().is_visible("#strip")


def test_who_waits_sees_how_many_come_first(open_page: Open, show: Show, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()
    upscale = Desk.upscale
    with served(show) as address:
        first, second = open_page(address), open_page(address)
        monkeypatch.setattr(Desk, "upscale", lambda *args: (go.wait(20), upscale(*args))[1])
        first.click("#sample")
        first.wait_for_selector("#busy:has-text('Working…')")
        second.click("#sample")
        second.wait_for_selector("#busy:has-text('1 job before yours')")
        go.set()
        for page in (first, second):
            page.wait_for_selector("#busy", state="hidden")


def test_with_a_meter_energy_and_watts_are_told(open_page: Open, show: Show, plan: Callable[[], FolderPlan]) -> None:
    shown = Show(show.models, threads=1, folder=plan)
    with Recorder(TwoWatts()) as recorder, served(shown, recorder=recorder) as address:
        page = open_page(address)
        page.wait_for_selector("#energy:has-text('at 2.00 W (test)')")
        page.click("#folder-start")
        page.wait_for_selector("#folder-state:has-text('done')")
        assert page.inner_text("#watts-title") == "Watts, a test" and page.inner_text("#folder-watts") == "2.00"
