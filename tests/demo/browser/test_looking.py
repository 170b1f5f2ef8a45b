"""Looking: the border by keyboard and mouse, zoom and pan, window and level, the views."""

from __future__ import annotations

from typing import Any

import pytest

from tests.demo.browser.conftest import Open

# The canvas as [width, height, grey of the pixel at these shares of both].
PIXEL = """([x, y]) => {
    const canvas = document.getElementById("canvas");
    const context = canvas.getContext("2d");
    return Array.from(context.getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1).data);
}"""


def pixel(page: Any, x: float, y: float = 0.5) -> list[int]:
    page.wait_for_timeout(60)  # a frame is drawn after what caused it
    return list(page.evaluate(PIXEL, [x, y]))


def at(page: Any) -> int:
    return int(page.get_attribute("#divider", "aria-valuenow"))


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ("ArrowRight", 52),
        ("ArrowLeft ArrowLeft", 46),
        ("PageUp", 60),
        ("PageDown", 40),
        ("Home", 0),
        ("End", 100),
        ("End ArrowUp", 100),
    ],
)
def test_the_border_moves_by_keys(open_page: Open, keys: str, where: int) -> None:
    page = open_page()
    page.focus("#divider")
    for key in keys.split():
        page.keyboard.press(key)
    assert at(page) == where
    assert f"{where} percent: Input on the left, Result on the right" == page.get_attribute(
        "#divider", "aria-valuetext"
    )


def test_the_border_moves_with_the_mouse(open_page: Open) -> None:
    page = open_page()
    box = page.locator("#divider").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] - 100, box["y"] + 100, steps=4)
    page.mouse.up()
    assert at(page) < 40


def test_the_border_moves_by_touch(open_page: Open) -> None:
    page = open_page(viewport={"width": 400, "height": 800}, has_touch=True, is_mobile=True)
    box = page.locator("#pan").bounding_box()
    session = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 0.5), ("touchMove", 0.6), ("touchMove", 0.8), ("touchEnd", None)):
        points = [] if x is None else [{"x": box["x"] + x * box["width"], "y": box["y"] + box["height"] / 2}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_timeout(100)
    assert at(page) > 60


def test_left_of_the_border_is_the_one_and_right_of_it_the_other(open_page: Open) -> None:
    page = open_page()
    page.check('#after input[value="beyond"]', force=True)
    page.focus("#divider")
    page.keyboard.press("End")
    grey = pixel(page, 0.45)
    page.keyboard.press("Home")
    map_colour = pixel(page, 0.45)
    assert grey[0] == grey[1] == grey[2] and grey != map_colour


def test_zoom_and_pan_by_keys_and_back(open_page: Open) -> None:
    page = open_page()
    page.focus("#pan")
    assert page.inner_text("#zoom-level") == "fit"
    for key in ("+", "+", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    page.wait_for_selector("#pan.zoomed")
    assert page.inner_text("#zoom-level").endswith("%")
    page.keyboard.press("0")
    page.wait_for_selector("#pan:not(.zoomed)")


def test_when_zoomed_in_a_drag_moves_the_picture_and_not_the_border(open_page: Open) -> None:
    page = open_page()
    page.click("#zoom-in")
    page.wait_for_selector("#pan.zoomed")
    box = page.locator("#pan").bounding_box()
    before = pixel(page, 0.4)
    page.mouse.move(box["x"] + 100, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 330, steps=4)
    page.mouse.up()
    assert at(page) == 50 and pixel(page, 0.4) != before


def test_window_level_and_invert_change_what_is_shown_and_reset_undoes_them(open_page: Open) -> None:
    page = open_page()
    before = pixel(page, 0.45, 0.6)
    page.focus("#window")
    for _ in range(8):
        page.keyboard.press("PageDown")
    narrow = pixel(page, 0.45, 0.6)
    page.check("#invert")
    inverted = pixel(page, 0.45, 0.6)
    page.click("#reset")
    assert before != narrow and inverted[0] == 255 - narrow[0]
    assert pixel(page, 0.45, 0.6) == before and page.input_value("#window") == "255" and not page.is_checked("#invert")


def test_shift_and_drag_is_window_and_level(open_page: Open) -> None:
    page = open_page()
    box = page.locator("#pan").bounding_box()
    page.keyboard.down("Shift")
    page.mouse.move(box["x"] + 200, box["y"] + 200)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 240, steps=4)
    page.mouse.up()
    page.keyboard.up("Shift")
    assert int(page.input_value("#window")) < 255 and int(page.input_value("#level")) > 128 and at(page) == 50


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ("difference", "minus bicubic"),
        ("beyond", "fixes these means and nothing finer"),
        ("spread", "no proof that they are right"),
        ("truth", "did not see it"),
        ("error", "too dark"),
    ],
)
def test_each_view_is_shown_and_explained(open_page: Open, view: str, words: str) -> None:
    page = open_page()
    page.focus("#divider")
    page.keyboard.press("Home")
    before = [pixel(page, x, 0.4) for x in (0.4, 0.45, 0.55, 0.6)]
    page.check(f'#after input[value="{view}"]', force=True)
    page.wait_for_selector(f"#caption:has-text('{words}')")
    page.wait_for_timeout(400)
    assert [pixel(page, x, 0.4) for x in (0.4, 0.45, 0.55, 0.6)] != before


def test_views_change_by_arrow_keys(open_page: Open) -> None:
    page = open_page()
    page.focus('#after input[value="result"]')
    page.keyboard.press("ArrowRight")
    assert page.is_checked('#after input[value="difference"]') and "bicubic" in page.inner_text("#caption")


def test_the_pixel_under_the_pointer_is_told_in_figures(open_page: Open) -> None:
    page = open_page()
    box = page.locator("#pan").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2)
    assert "input" in page.inner_text("#readout") and "result" in page.inner_text("#readout")


def test_the_notice_stays_in_sight(open_page: Open) -> None:
    page = open_page(viewport={"width": 360, "height": 640})
    page.mouse.wheel(0, 5000)
    page.wait_for_timeout(100)
    box = page.locator("#notice").bounding_box()
    assert (
        page.inner_text("#notice") == "Not for diagnostic use" and 0 <= box["y"] < 60 and box["x"] + box["width"] <= 360
    )


@pytest.mark.parametrize("width", [360, 768, 1280, 3840])
def test_nothing_is_wider_than_the_window(open_page: Open, width: int) -> None:
    page = open_page(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_moves_from_one_view_or_run_to_the_next(open_page: Open) -> None:
    page = open_page()
    page.evaluate("""() => {
        window.moved = 0;
        new PerformanceObserver((list) => { for (const entry of list.getEntries()) window.moved += entry.value; })
            .observe({ type: "layout-shift" });
    }""")
    for view in ("difference", "beyond", "spread", "truth", "error", "result"):
        page.check(f'#after input[value="{view}"]', force=True)
        page.wait_for_timeout(200)
    page.click("#sample")
    page.wait_for_timeout(1500)
    assert page.evaluate("window.moved") < 0.01
