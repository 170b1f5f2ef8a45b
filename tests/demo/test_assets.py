"""The files of the page: light, complete, and without a word to any other host."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_sr.demo.assets import FOLDER, INDEX, read_assets

BAR_BYTES = 150_000
FILES = sorted(FOLDER.iterdir())


def test_the_page_weighs_little() -> None:
    assert sum(path.stat().st_size for path in FILES) <= BAR_BYTES


def test_every_file_is_served() -> None:
    assert {path.name for path in FILES} == set(read_assets())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_file_names_another_host(path: Path) -> None:
    found = re.findall(r"(?:https?:)?//[a-z0-9-]+\.[a-z][^\s\"'<]*", path.read_text("utf-8"))
    assert [address for address in found if "www.w3.org" not in address] == []


@pytest.mark.parametrize("name", [INDEX, "locked.html"])
def test_no_script_or_style_stands_in_the_markup(name: str) -> None:
    text = (FOLDER / name).read_text("utf-8")
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text)


def test_every_element_that_a_script_asks_for_is_there() -> None:
    ids = set(re.findall(r'\sid="([^"]+)"', (FOLDER / INDEX).read_text("utf-8")))
    scripts = "".join(path.read_text("utf-8") for path in FILES if path.suffix == ".js")
    asked = set(re.findall(r'(?:\$|text)\("([a-z-]+)"', scripts))
    assert asked - ids == set() and len(asked) > 40


def test_every_name_for_a_label_or_description_leads_somewhere() -> None:
    text = (FOLDER / INDEX).read_text("utf-8")
    ids = re.findall(r'\sid="([^"]+)"', text)
    referred = re.findall(r'(?:for|aria-labelledby|aria-describedby)="([^"]+)"', text)
    assert set(referred) <= set(ids) and len(ids) == len(set(ids))
