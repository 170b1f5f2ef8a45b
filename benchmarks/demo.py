"""How quick, light and sturdy the demo is on this machine, as a visitor's browser sees it.

    python benchmarks/demo.py

A server in a process of its own, as ``edge-sr demo`` starts it, and Debian's Chromium without a window. Measured are
 - from the drop of a 64x64 PNG to the frame that shows its result, in the browser's own clock;
 - the same from a turn of the fidelity knob;
 - the bytes of the page;
 - the resident memory of the server and its decoder (proportional set size), after the pictures;
 - how much it grows by a thousand malformed requests, and whether it still serves afterwards.
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))  # Python puts this folder there; benchmarks itself is not installed

from benchmarks.malformed_requests import malformed, send  # noqa: E402
from edge_sr import __version__  # noqa: E402
from edge_sr.cli.exit_codes import guarded  # noqa: E402
from edge_sr.device.facts import read_facts  # noqa: E402
from edge_sr.errors import EnvironmentFault  # noqa: E402
from edge_sr.image.atomic import write_atomically  # noqa: E402
from edge_sr.image.consistency import area_mean  # noqa: E402
from edge_sr.image.phantom import chest_phantom  # noqa: E402
from edge_sr.image.png import encode_png  # noqa: E402
from edge_sr.image.radiograph import from_unit, to_unit  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "demo.json"
BARS = {"drop_to_picture_ms": 150.0, "page_bytes": 150_000, "resident_mb": 200.0, "grown_mb": 30.0}
MALFORMED = 1000
SETTLE_MS = 900  # between two drops: by then the spread of the one before is measured too

# Gives milliseconds from the drop until the frame with the new result is on its way to the screen.
DROP = """(content) => new Promise((done) => {
    const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
    const transfer = new DataTransfer();
    transfer.items.add(new File([bytes], "chest.png"));
    const start = performance.now();
    new MutationObserver((changes, observer) => {
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    }).observe(document.getElementById("png"), { attributeFilter: ["href"] });
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
})"""
TURN = """(value) => new Promise((done) => {
    const knob = document.getElementById("fidelity");
    const start = performance.now();
    new MutationObserver((changes, observer) => {
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
    }).observe(document.getElementById("png"), { attributeFilter: ["href"] });
    knob.value = value;
    knob.dispatchEvent(new Event("input", { bubbles: true }));
})"""


@click.command()
@click.option("--pictures", type=click.IntRange(3), default=40, show_default=True, help="Drops that count.")
@click.option("--chromium", type=click.Path(path_type=Path), default=Path("/usr/bin/chromium"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=RESULT, show_default=True)
def main(pictures: int, chromium: Path, out: Path) -> None:
    """Measure the demo and write its figures with their conditions."""
    with _demo() as (process, url):
        before = os.getloadavg()[0]
        seen = _in_browser(url, chromium, pictures)
        resident_mb = _resident_mb(process.pid)
        growth = _malformed(process, url)
    record = {
        "schema_version": 1,
        "kind": "edge-sr demo",
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "conditions": {**_conditions(chromium), "load_average": {"before": before, "after": os.getloadavg()[0]}},
        "bars": BARS,
        **seen,
        "resident_mb": resident_mb,
        **growth,
    }
    write_atomically(out, (json.dumps(record, indent=2) + "\n").encode(), overwrite=True)
    click.echo(json.dumps({name: record[name] for name in ("drop_to_picture_ms", "page_bytes", *growth)}, indent=2))
    click.echo(f"resident {resident_mb} MB\n{out}")


@contextmanager
def _demo() -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-c", "from edge_sr.cli import main; main()", "demo", "--port", "0", "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if "http://" not in line:
            raise EnvironmentFault("the demo did not start", hint="edge-sr demo")
        yield process, line.split()[-1]
        process.terminate()


def _in_browser(url: str, chromium: Path, pictures: int) -> dict[str, object]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        raise EnvironmentFault("playwright is not installed", hint="pip install playwright") from error
    flags = ["--disable-background-networking", "--disable-gpu", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(chromium), args=flags)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        weights: dict[str, int] = {}
        page.on("response", lambda answer: _weigh(answer, weights))
        page.goto(url)
        page.wait_for_selector('html[data-ready="1"]')
        drops = [_dropped(page, number) for number in range(3 + pictures)][3:]
        turns = [_turned(page, number) for number in range(3 + pictures)][3:]
        browser.close()
    return {
        "drop_to_picture_ms": _percentiles(drops),
        "knob_to_picture_ms": _percentiles(turns),
        "page_bytes": sum(weights.values()),
        "page_files": weights,
    }


def _weigh(answer: Any, weights: dict[str, int]) -> None:
    path = urlsplit(answer.url).path
    if not path.startswith("/api/"):
        weights[path] = int(answer.headers["content-length"])


def _dropped(page: Any, number: int) -> float:
    lr = from_unit(area_mean(to_unit(chest_phantom(256, seed=number))), 8)
    page.wait_for_timeout(SETTLE_MS)
    return float(page.evaluate(DROP, base64.b64encode(encode_png(lr, text={})).decode()))


def _turned(page: Any, number: int) -> float:
    page.wait_for_timeout(SETTLE_MS)
    return float(page.evaluate(TURN, str(round(0.05 * (number % 20), 2))))


def _percentiles(samples: list[float]) -> dict[str, object]:
    cuts = np.quantile(samples, [0.5, 0.9]).round(1)
    return {
        "calls": len(samples),
        "p50": float(cuts[0]),
        "p90": float(cuts[1]),
        "least": round(min(samples), 1),
        "most": round(max(samples), 1),
        "mean": round(statistics.mean(samples), 1),
    }


def _malformed(process: subprocess.Popen[str], url: str) -> dict[str, object]:
    address = urlsplit(url)
    assert address.hostname is not None and address.port is not None
    for request in malformed(40, seed=1):  # what is kept from a first time is no growth
        send(*request, address.hostname, address.port)
    before = _resident_mb(process.pid)
    answers = [send(*request, address.hostname, address.port) for request in malformed(MALFORMED)]
    time.sleep(0.5)
    return {
        "malformed": MALFORMED,
        "answered": sum(bool(answer) for answer in answers),
        "server_errors": sum(b" 500 " in answer for answer in answers),
        "grown_mb": round(_resident_mb(process.pid) - before, 1),
        "serves_afterwards": b" 200 "
        in send(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", False, address.hostname, address.port)
        and process.poll() is None,
    }


def _resident_mb(pid: int) -> float:
    """Proportional set size of a process and all below it, in units of a million bytes."""
    children = [
        int(child) for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()
    ]
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    own = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
    return round(own / 1e6 + sum(map(_resident_mb, children)), 1)


def _conditions(chromium: Path) -> dict[str, object]:
    facts = read_facts()
    told = subprocess.run([chromium, "--version"], capture_output=True, text=True).stdout.strip()
    return {
        "cpu": facts.cpu_model,
        "cores": os.cpu_count(),
        "browser": told,
        "drawing": "in software",
        "model": "default, float32",
        "code_version": __version__,
        "python": sys.version.split()[0],
        **{name: version(name) for name in ("onnxruntime", "starlette", "uvicorn", "playwright")},
    }


if __name__ == "__main__":
    sys.exit(guarded(lambda: main(standalone_mode=False)))
