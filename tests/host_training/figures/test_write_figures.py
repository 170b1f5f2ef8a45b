"""The folder and the page as a whole."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("matplotlib")

from edge_sr.cli.exit_codes import USAGE, code_of
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.figures import write_figures
from host_training.figures.architecture import bundles_of
from host_training.figures.command import figures_command
from host_training.figures.page import page as page_of
from host_training.figures.results import read_results
from host_training.figures.write import drawings_of, models, sets
from tests.host_training.figures.toy_results import NAME, write_toy_results

PANELS = {f"{kind}-{NAME}-toy": chest_phantom(64, seed=seed) for seed, kind in enumerate(("panels", "worst"))}
SHEET = chest_phantom(64, seed=3)
VOID = {"meta", "img"}
NUMBER = re.compile(r"[+-]?\d+\.\d+")


class Page(HTMLParser):
    """Tags with their attributes, cells of tables, texts of drawings; fails where tags do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.texts: list[tuple[str, str]] = []  # innermost tag, text
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", data))

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]

    def of(self, tag: str) -> list[str]:
        return [text for innermost, text in self.texts if innermost == tag]


def write_runs(folder: Path) -> Path:
    (folder / "autoencoder").mkdir(parents=True)
    lines = [{"step": step, "loss": 1 / step, "validation_psnr_1": 30 + step} for step in (1, 2, 3)]
    (folder / "autoencoder" / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything there is to draw, drawn; the panels lie there as an evaluation leaves them."""
    folder = tmp_path_factory.mktemp("whole")
    write_toy_results(folder / "evaluation")
    for name, pixels in PANELS.items():
        write_png(folder / "evaluation" / f"{name}.png", pixels, text={})
    write_figures(folder / "evaluation", runs=[write_runs(folder / "runs")], pictures=PANELS, sheet=SHEET)
    return folder


@pytest.fixture(scope="module")
def html(whole: Path) -> str:
    return (whole / "evaluation" / "index.html").read_text()


@pytest.fixture(scope="module")
def page(html: str) -> Page:
    return Page(html)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.*"))}


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for part in value.values():
            yield from numbers_in(part)
    elif isinstance(value, list):
        for part in value:
            yield from numbers_in(part)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield float(value)


def test_every_figure_of_the_record_is_there(whole: Path) -> None:
    names = {path.stem for path in (whole / "evaluation" / "figures").glob("*.svg")}
    metrics = ("psnr_db", "ssim", "haarpsi_med", "lpips")
    assert names == {
        *(f"{kind}-{metric}-{NAME}" for kind in ("quality", "differences") for metric in metrics),
        *(f"spectrum-{NAME}-{side}-toy" for side in (256, 512)),
        *(f"scales-{metric}-{NAME}-toy" for metric in ("psnr_db", "haarpsi_med")),
        *(f"calibration-{field}-{NAME}" for field in ("variance_over_error", "rank_correlation")),
        *(f"trade-off-{NAME}", f"gains-{NAME}-toy", "model-toy", "denoiser-toy"),
        *("training-autoencoder-loss", "training-autoencoder-psnr"),
    }
    assert names == {path.stem for path in (whole / "evaluation" / "figures").glob("*.png")}


def test_every_figure_is_on_the_page(whole: Path, page: Page) -> None:
    drawn = len(list((whole / "evaluation" / "figures").glob("*.svg")))
    assert sum(tag == "svg" for tag, _ in page.tags) == drawn
    assert sum(tag == "img" for tag, _ in page.tags) == len(PANELS) + 1  # the augmentation sheet


def test_every_number_comes_from_the_record(whole: Path, page: Page) -> None:
    record = json.loads((whole / "evaluation" / "metrics.json").read_text())
    values = [*numbers_in(record), *(row["seconds"] * 1e3 for row in record["published"] if row["seconds"])]
    told = {f"{value:{sign}.{decimals}f}" for value in values for sign in ("", "+") for decimals in (1, 2, 3, 4)}
    cells = [number for cell in page.of("td") for number in NUMBER.findall(cell)]
    labels = [number for text in page.of("text") if "[" in text for number in NUMBER.findall(text)]
    assert len(cells) > 200 and len(labels) > 150
    assert set(cells) | set(labels) <= told


def test_the_networks_cost_what_their_files_say(page: Page) -> None:
    shown = page.of("text")
    assert "Denoiser, 2 times" in shown
    macs = [float(found[1]) for text in shown if (found := re.search(r"([\d.]+) GMAC", text))]
    encoder, denoiser, decoder, whole = macs
    assert whole == pytest.approx(encoder + 2 * denoiser + decoder, abs=0.002)


def test_nothing_is_fetched(html: str, page: Page) -> None:
    assert "http" not in html and "url(" not in html.replace("url(#", "")
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert all(value.startswith("data:image/png;base64,") for value in page.values("src"))
    assert all(value.startswith("#") for value in page.values("href"))


def test_ids_are_unique_and_every_reference_finds_its_own(html: str, page: Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    assert {value[1:] for value in page.values("href")} <= set(ids)
    assert set(re.findall(r"url\(#([^)]+)\)", html)) <= set(ids)


def test_headings_go_down_one_level_at_a_time(page: Page) -> None:
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_every_picture_has_words(page: Page) -> None:
    words = [a.get("alt") or a.get("aria-label") for tag, a in page.tags if tag in ("img", "svg")]
    assert all(word and len(word) > 20 for word in words)


def test_it_serves_day_and_night_and_phones(html: str) -> None:
    assert "prefers-color-scheme: dark" in html and 'name="viewport"' in html
    used, given = set(re.findall(r"var\(--([a-z]+)\)", html)), set(re.findall(r"--([a-z]+): #", html))
    assert used - {"width"} <= given
    assert html.count('<div class="scroll"') == html.count("<table>") + len(PANELS) + 1


def test_conditions_and_notice_are_told(html: str, page: Page) -> None:
    assert "Not for diagnostic use." in page.of("p")
    told = page.of("dd")
    assert {"3" * 64, "4" * 64, "1" * 64, "1.2.3", "2030-01-02T03:04:05+00:00"} <= set(told)
    assert "HR &amp; LR as &lt;always&gt;." in html


def test_drawn_again_it_has_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    """By the command, from the folder alone."""
    again = tmp_path / "evaluation"
    shutil.copytree(whole / "evaluation", again)
    shutil.rmtree(again / "figures")
    (again / "index.html").unlink()
    result = CliRunner().invoke(figures_command, [str(again), "--runs", str(whole / "runs")])
    assert result.exit_code == 0 and result.output == f"{again / 'index.html'}\n"
    assert files_of(again) == files_of(whole / "evaluation")


def test_what_is_missing_leaves_a_sentence(tmp_path: Path) -> None:
    record = write_toy_results(tmp_path, sides=(256,), lpips=False, seeds=0, per_image=False)
    record["bundles"]["toy"]["networks_sha256"]["decoder"] = "0" * 64
    (tmp_path / "metrics.json").write_text(json.dumps(record))
    (tmp_path / "runs").mkdir()
    write_figures(tmp_path, runs=[tmp_path / "runs"])
    page = Page((tmp_path / "index.html").read_text())
    absent = [text for text in page.of("p") if text.startswith("No ")]
    about = ("LPIPS:", "LPIPS against", "in LPIPS", "by scale", "seeds were", "pictures of toy", "picture by picture")
    for word in (*about, "drawing of toy", "training curves", "augmentation sheet"):
        assert any(word in sentence for sentence in absent), word
    assert "quality-psnr_db" in " ".join(path.name for path in (tmp_path / "figures").iterdir())


def test_several_bundles_stand_side_by_side(tmp_path: Path) -> None:
    record = write_toy_results(tmp_path, bundles=("first", "second"), sides=(256,), lpips=False, seeds=2)
    sections = [*sets(read_results(tmp_path), {}), models(record, bundles_of(record, []))]
    names = {drawing.name for section in sections for drawing in drawings_of(section)}
    assert {f"spectrum-{NAME}-256-first", f"spectrum-{NAME}-256-second", "model-first", "model-second"} <= names
    assert "denoiser-first" in names and "denoiser-second" not in names  # one and the same file
    assert "<h1>Evaluation of first, second</h1>" in page_of(record, [], {}, "")


def test_a_folder_without_an_evaluation_is_refused(tmp_path: Path) -> None:
    fault = CliRunner().invoke(figures_command, [str(tmp_path)]).exception
    assert fault is not None and code_of(fault) == USAGE
    assert f"try: edge-sr-host evaluate --out {tmp_path}" in str(fault)


def test_a_damaged_panel_is_named(tmp_path: Path) -> None:
    write_toy_results(tmp_path, sides=(256,))
    (tmp_path / f"panels-{NAME}-toy.png").write_bytes(b"\x89PNG")
    fault = CliRunner().invoke(figures_command, [str(tmp_path)]).exception
    assert f"panels-{NAME}-toy.png" in str(fault)


def test_a_bundle_that_is_named_is_drawn(tmp_path: Path) -> None:
    from edge_sr.artifacts.bundle import default_bundle

    write_toy_results(tmp_path / "evaluation", sides=(256,))
    shutil.copytree(default_bundle(), tmp_path / "bundle")
    (tmp_path / "bundle" / "extra").write_text("not listed")
    result = CliRunner().invoke(figures_command, [str(tmp_path / "evaluation"), "--bundle", str(tmp_path / "bundle")])
    assert "not listed" in str(result.exception)
    assert not np.any([path.name == "index.html" for path in (tmp_path / "evaluation").iterdir()])
