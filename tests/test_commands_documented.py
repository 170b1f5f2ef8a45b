"""Every command of both console scripts has an example in its help and stands in the README or the docs."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).resolve().parents[1]
GROUPS = {"edge-sr": "edge_sr.cli", "edge-sr-host": "host_training.command"}  # each has a click group called group


def group_of(script: str) -> click.Group:
    if script == "edge-sr-host":
        pytest.importorskip("torch")
    group = import_module(GROUPS[script]).group
    assert isinstance(group, click.Group)
    return group


def without_example(group: click.Group, script: str) -> list[str]:
    """Names of the commands whose help has no "Examples:" block with a line that calls them."""
    context = click.Context(group, info_name=script)
    helps = {name: group.get_command(context, name) for name in group.list_commands(context)}
    texts = {
        name: command.get_help(click.Context(command, context, name)) for name, command in helps.items() if command
    }
    return [
        name
        for name in helps
        if not re.search(rf"^ *{script} {name}\b", texts.get(name, "").partition("Examples:")[2], re.MULTILINE)
    ]


@pytest.mark.parametrize("script", GROUPS)
def test_every_command_has_an_example_in_its_help(script: str) -> None:
    assert without_example(group_of(script), script) == []


@pytest.mark.parametrize("script", GROUPS)
def test_every_command_stands_in_the_documents(script: str) -> None:
    group = group_of(script)
    documents = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(path.read_text("utf-8") for path in documents)
    names = group.list_commands(click.Context(group))
    assert [name for name in names if not re.search(rf"\b{script} {name}\b", text)] == []


def test_a_command_without_an_example_is_found() -> None:
    group = click.Group(commands=[click.Command("bare"), click.Command("shown", epilog="Examples: x\n\n  tool shown")])
    assert without_example(group, "tool") == ["bare"]
