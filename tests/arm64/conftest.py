"""The marker ``arm64``: of the tests that chosen.txt lists, wherever they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

CHOSEN = Path(__file__).with_name("chosen.txt")


def chosen() -> list[str]:
    """Node ids as pytest prints them."""
    return [line for line in CHOSEN.read_text("utf-8").splitlines() if line and not line.startswith("#")]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "arm64: worth running on an arm64 processor; see tests/arm64/chosen.txt")


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    listed = set(chosen())
    for item in items:
        if item.nodeid in listed:
            item.add_marker("arm64")
