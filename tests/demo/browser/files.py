"""Files for the page's file choosers, and dropping them."""

from __future__ import annotations

import base64
from typing import Any

DROP = """([target, files]) => {
    const transfer = new DataTransfer();
    for (const [name, content] of files) {
        const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
        transfer.items.add(new File([bytes], name));
    }
    const element = document.querySelector(target);
    for (const kind of ["dragover", "drop"]) {
        element.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
    }
}"""


def choose(page: Any, content: bytes, name: str = "chest.png", *, into: str = "#file") -> None:
    page.set_input_files(into, {"name": name, "mimeType": "image/png", "buffer": content})


def drop(page: Any, *files: tuple[str, bytes], on: str = "body") -> None:
    page.evaluate(DROP, [on, [[name, base64.b64encode(content).decode()] for name, content in files]])


def headline(page: Any, words: str) -> None:
    """Waits until it says so."""
    page.wait_for_selector(f"#headline:has-text('{words}')")


def fault(page: Any) -> str:
    """What the page says went wrong, once it says so."""
    page.wait_for_selector("#fault:not([hidden])")
    return str(page.inner_text("#fault"))
