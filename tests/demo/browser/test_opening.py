"""Opening pictures: the sample, a chosen file, a dropped one, with its original, and what is no picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from edge_sr.demo.serve import Place, Show
from edge_sr.image.png import encode_png
from tests.demo.browser.conftest import Open
from tests.demo.browser.files import choose, drop, fault, headline
from tests.demo.pictures import png
from tests.demo.serving import LIMITS, served


def test_a_sample_is_there_at_once(open_page: Open) -> None:
    page = open_page()
    assert page.inner_text("#headline").startswith("64×64 in, 256×256 out")
    assert page.inner_text("#psnr-result") != "–" and page.inner_text("#agrees") != "–"


def test_a_chosen_file_is_upscaled(open_page: Open) -> None:
    page = open_page()
    choose(page, png(40, width=56))
    headline(page, "56×40 in, 224×160 out")
    assert page.is_disabled('#after input[value="error"]')  # it came without an original


def test_a_dropped_file_is_upscaled_and_its_name_stays_here(open_page: Open) -> None:
    page = open_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    drop(page, ("Doe^John.png", png(24)))
    headline(page, "24×24 in")
    assert not any("Doe" in url for url in sent)
    assert page.get_attribute("#png", "download") == "Doe^John_x4.png"


def test_of_two_dropped_files_the_larger_is_the_original(open_page: Open) -> None:
    page = open_page()
    drop(page, ("large.png", png(64)), ("small.png", png(16)))
    headline(page, "16×16 in")
    page.wait_for_selector('#after input[value="truth"]:enabled')
    assert page.inner_text("#psnr-bicubic") != "–"


def test_an_original_may_be_added_afterwards(open_page: Open) -> None:
    page = open_page()
    choose(page, png(16))
    headline(page, "16×16 in")
    choose(page, png(64), into="#truth-file")
    page.wait_for_selector('#after input[value="error"]:enabled')
    page.check('#after input[value="error"]', force=True)
    assert "what the estimate got wrong" in page.inner_text("#caption")


def test_an_original_of_another_size_is_told(open_page: Open) -> None:
    page = open_page()
    choose(page, png(60), into="#truth-file")
    told = fault(page)
    assert "The truth has 60x60 pixels." in told and "Expected: 256x256" in told


def test_a_file_that_is_no_picture_is_told_and_the_former_stays(open_page: Open) -> None:
    page = open_page()
    choose(page, b"%PDF-1.7", "letter.pdf")
    assert "not a picture" in fault(page) and "Expected: PNG, TIFF or JPEG." in fault(page)
    page.click("#fault-close")
    page.fill("#seed", "5")
    page.press("#seed", "Enter")
    assert page.inner_text("#headline").startswith("64×64 in") and not page.is_visible("#fault")


def test_a_file_that_is_too_large_is_not_even_sent(open_page: Open) -> None:
    page = open_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    choose(page, bytes(LIMITS.most_bytes + 1))
    assert "too large" in fault(page) and not any("api/upscale" in url for url in sent)


def test_a_picture_that_is_too_large_may_be_made_smaller_by_a_button(open_page: Open) -> None:
    page = open_page()
    choose(page, png(160))
    assert "160x160 is too large for this page" in fault(page)
    page.click("#fault-action")
    headline(page, "40×40 in, 160×160 out")
    assert not page.is_visible("#fault") and page.is_checked("#reduce")


def test_sixteen_bits_have_their_own_window(open_page: Open) -> None:
    page = open_page()
    levels = np.linspace(1000, 5000, 32 * 32).astype(np.uint16).reshape(32, 32)
    choose(page, encode_png(levels, text={}))
    headline(page, "32×32 in")
    assert [page.input_value("#window"), page.input_value("#level")] == ["4000", "3000"]
    assert page.get_attribute("#window", "max") == "65535"


@pytest.mark.parametrize("format", ["jpeg", "tiff"])
def test_other_formats_open_too(open_page: Open, format: str) -> None:
    file = io.BytesIO()
    Image.fromarray(np.full((20, 20), 90, np.uint8)).save(file, format)
    page = open_page()
    choose(page, file.getvalue(), f"chest.{format}")
    headline(page, "20×20 in")


def test_a_server_that_has_gone_is_told(open_page: Open, show: Show) -> None:
    with served(show) as address:
        page = open_page(address)
    page.click("#sample")
    assert "The demo does not answer." in fault(page) and page.is_visible("#fault-action")


def test_a_picture_that_the_server_forgot_is_sent_again(open_page: Open) -> None:
    page = open_page()
    choose(page, png(24))
    headline(page, "24×24 in")
    other = open_page()
    for _ in range(14):  # more than are kept
        with other.expect_response("**/api/upscale*"):
            other.click("#sample")
    page.click('#model label:has-text("bundle-1")')
    page.wait_for_selector("#made-precision:text-is('fp32')")
    assert page.inner_text("#headline").startswith("24×24 in") and not page.is_visible("#fault")


def test_two_tabs_do_not_disturb_each_other(open_page: Open) -> None:
    first, second = open_page(), open_page()
    choose(first, png(24))
    choose(second, png(40))
    headline(first, "24×24 in")
    headline(second, "40×40 in")


def test_a_token_leaves_the_address(open_page: Open, show: Show) -> None:
    with served(show, Place(port=0, token="correct-horse")) as address:
        page = open_page(address)
        assert page.url == address.partition("?")[0]
        page.reload()
        page.wait_for_selector('html[data-ready="1"]')
