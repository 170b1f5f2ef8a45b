"""One rig for all rows: the small model is made once."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from tests.reliability.rig import Rig
from tests.reliability.service import CONSOLE_SCRIPT


@pytest.fixture(scope="session")
def rig() -> Iterator[Rig]:
    pytest.importorskip("onnxruntime", reason="the small model runs in ONNX Runtime")
    pytest.importorskip("onnx", reason="the small model is written with onnx")
    if not sys.platform.startswith("linux") or not CONSOLE_SCRIPT.exists():
        pytest.skip("the service is for Linux, and is started by the console script edge-sr")
    with Rig() as made:
        yield made
