"""The README's pictures of the demo, made anew: ``python scripts/demo_pictures.py``.

Chromium opens ``edge-sr demo`` with its synthetic sample, which is no patient's, by day and by night, wide and narrow.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT / "docs" / "images"
CHROMIUM = "/usr/bin/chromium"


@dataclass(frozen=True)
class Shot:
    """One picture. before: what is done in the page first."""

    name: str
    theme: str
    width: int
    height: int
    before: Callable[[Any], None]


def result(page: Any) -> None:
    """As the page opens, and with the spread measured."""
    spread(page)
    page.check('#after input[value="result"]', force=True)


def beyond(page: Any) -> None:
    """What the input does not determine, with the border further left."""
    spread(page)
    page.check('#after input[value="beyond"]', force=True)
    page.focus("#divider")
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    page.focus("#after input:checked")


def spread(page: Any) -> None:
    page.check('#after input[value="spread"]', force=True)
    page.wait_for_selector("#differs-note:has-text('seeds')")


SHOTS = (
    Shot("demo-light", "light", 1280, 800, result),
    Shot("demo-dark", "dark", 1280, 800, beyond),
    Shot("demo-phone", "dark", 390, 780, spread),
)


def main() -> None:
    flags = ["--disable-background-networking", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    command = [sys.executable, "-c", "from edge_sr.cli import main; main()", "demo", "--port", "0", "--no-open"]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process,
        sync_playwright() as playwright,
    ):
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        for shot in SHOTS:
            path = IMAGES / f"{shot.name}.png"
            path.write_bytes(taken(browser, url, shot))
            print(path.relative_to(ROOT), path.stat().st_size)
        browser.close()
        process.terminate()


def taken(browser: Any, url: str, shot: Shot) -> bytes:
    page = browser.new_page(viewport={"width": shot.width, "height": shot.height}, color_scheme=shot.theme)
    page.goto(url)
    page.wait_for_selector('html[data-ready="1"]')
    shot.before(page)
    page.wait_for_timeout(500)
    small = io.BytesIO()
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(small, "png", optimize=True)
    page.close()
    return small.getvalue()


if __name__ == "__main__":
    main()
