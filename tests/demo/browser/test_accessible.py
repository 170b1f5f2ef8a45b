"""axe-core finds nothing, in either theme, in every state of the page; and all of it can be reached by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from edge_sr.demo.folder import FolderPlan
from edge_sr.demo.serve import Place, Show
from tests.demo.browser.conftest import Open
from tests.demo.browser.files import choose, fault
from tests.demo.pictures import png
from tests.demo.serving import served

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def findings(page: Any) -> list[str]:
    """Each finding of axe-core as "rule: element"."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-core comes with it")
    page.wait_for_timeout(300)  # colours fade
    found = axe.Axe().run(page, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html'][:90]} {node['any'][:1]}" for rule in found for node in rule["nodes"]]


def test_a_fault_would_be_found(open_page: Open) -> None:
    page = open_page()
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")
    assert [found.partition(":")[0] for found in findings(page)] == ["button-name"]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_at_rest(open_page: Open, theme: str, width: int) -> None:
    assert findings(open_page(color_scheme=theme, viewport={"width": width, "height": 800})) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", ["map", "fault", "no knobs", "hover", "keys"])
def test_in_other_states(open_page: Open, theme: str, state: str) -> None:
    page = open_page(color_scheme=theme)
    if state == "map":
        page.check('#after input[value="error"]', force=True)
    elif state == "fault":
        choose(page, b"none")
        fault(page)
    elif state == "no knobs":
        page.click('#model label:has-text("bundle-1")')
        page.wait_for_selector("#fidelity:disabled")
    elif state == "hover":
        page.hover("#after label:nth-child(3)")
    else:
        page.click("summary")
    assert findings(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_with_a_folder_and_without_a_token(
    open_page: Open, show: Show, plan: Callable[[], FolderPlan], theme: str
) -> None:
    with served(Show(show.models, threads=1, folder=plan)) as address:
        page = open_page(address, color_scheme=theme)
        page.click("#folder-start")
        page.wait_for_selector("#folder-state:has-text('done')")
        assert findings(page) == []
    with served(show, Place(port=0, token="correct-horse")) as address:
        page.goto(address.partition("?")[0])
        assert findings(page) == []


def test_every_control_is_reached_by_the_tabulator(open_page: Open) -> None:
    page = open_page()
    reached = []
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.name || 'none'"))
    wanted = [
        "open",
        "sample",
        "reduce",
        "before",
        "after",
        "pan",
        "divider",
        "zoom-in",
        "window",
        "level",
        "invert",
        "reset",
    ]
    wanted += ["truth", "model", "steps", "fidelity", "seed", "roll", "png", "provenance"]
    assert [name for name in wanted if name not in reached] == []


def test_what_happened_is_said_to_who_does_not_see_it(open_page: Open) -> None:
    page = open_page()
    choose(page, png(24))
    page.wait_for_selector("#told:has-text('24×24 to 96×96')", state="attached")
    assert page.get_attribute("#told", "role") == "status" and page.get_attribute("#fault", "role") == "alert"
