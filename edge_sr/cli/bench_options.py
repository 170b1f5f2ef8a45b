"""How the options of ``edge-sr bench`` are written: lists with commas, sizes as 320x240."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

LEAST_SIDE, LARGEST_SIDE = 8, 8192  # LR pixels

Callback = Callable[[click.Context, click.Parameter, "str | None"], "tuple[Any, ...] | None"]


def several(each: click.ParamType[Any]) -> Callback:
    """The callback of an option that takes one or more of them, with commas between."""

    def convert(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[Any, ...] | None:
        if value is None:
            return None
        return tuple(dict.fromkeys(each.convert(part.strip(), parameter, context) for part in value.split(",")))

    return convert


def sizes(context: click.Context, parameter: click.Parameter, value: str | None) -> tuple[tuple[int, int], ...] | None:
    """64 or 320x240, with commas between: (width, height) in LR pixels."""
    if value is None:
        return None
    return tuple(dict.fromkeys(_size(part.strip(), context, parameter) for part in value.split(",")))


def _size(text: str, context: click.Context, parameter: click.Parameter) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,5})(?:x(\d{1,5}))?", text)
    if not found:
        raise click.BadParameter(f"{text!r} is no size; expected 64 or 320x240.", ctx=context, param=parameter)
    width, height = int(found[1]), int(found[2] or found[1])
    if not LEAST_SIDE <= min(width, height) <= max(width, height) <= LARGEST_SIDE:
        rule = f"expected sides from {LEAST_SIDE} to {LARGEST_SIDE}."
        raise click.BadParameter(f"{text!r} is out of range; {rule}", ctx=context, param=parameter)
    return width, height
