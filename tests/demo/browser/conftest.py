"""Debian's Chromium on a demo of small bundles: in every test no console error, no request that leaves this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from edge_sr.demo.serve import Show
from tests.demo.serving import served

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
QUIET = ["--disable-background-networking", "--disable-component-update", "--disable-gpu", "--no-first-run"]
MISSING = [
    what
    for what, there in (("playwright (pip)", find_spec("playwright")), ("Chromium (apt)", CHROMIUM.exists()))
    if not there
]
EXPECTED = (
    "the server responded with a status of 4",
    "net::ERR_CONNECTION_REFUSED",
    "willReadFrequently",
)  # what tests provoke

Open = Callable[..., Any]


@pytest.fixture(scope="module")  # as long as Playwright runs, no other test in this thread can use asyncio
def chromium() -> Iterator[Any]:
    if MISSING:
        pytest.skip(f"needs {' and '.join(MISSING)}")
    from playwright.sync_api import sync_playwright

    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*QUIET, *root])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def url(show: Show) -> Iterator[str]:
    with served(show) as address:
        yield address


@pytest.fixture
def open_page(chromium: Any, url: str) -> Iterator[Open]:
    """Opens the page, at another address if one is given, and waits until its first picture is there.

    Afterwards: nothing but what a test provokes was said on the console, and nothing was asked of another host.
    """
    contexts, said, asked = [], [], set()

    def open_at(address: str = url, **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.add(urlsplit(request.url).hostname))
        page.goto(address)
        page.wait_for_selector('html[data-ready="1"]')
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert [words for words in said if not any(each in words for each in EXPECTED)] == []
    assert asked <= {"127.0.0.1"}
