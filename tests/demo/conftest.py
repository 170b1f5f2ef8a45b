"""What the tests of the demo share. Without the packages of its extra only those of its plain parts run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_sr.artifacts.bundle import Bundle

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from edge_sr.demo.folder import FolderPlan
    from edge_sr.demo.serve import Show

collect_ignore = [
    name
    for name in ("test_app.py", "test_command.py", "test_malformed.py", "test_serve.py", "browser")
    if not (find_spec("starlette") and find_spec("uvicorn") and find_spec("httpx"))
]


@pytest.fixture(scope="session")
def show(tiny: Bundle, generator: Bundle) -> Show:
    """A model that draws noise and one that does not."""
    from edge_sr.demo.serve import Show
    from tests.demo.serving import LIMITS

    return Show(models=(str(tiny.folder), str(generator.folder)), threads=1, limits=LIMITS)


@pytest.fixture(scope="session")
def client(show: Show) -> Iterator[TestClient]:
    """Asks the application without a socket."""
    from starlette.testclient import TestClient

    from edge_sr.demo.serve import Place, application
    from edge_sr.device.power.recorder import Recorder

    with (
        application(show, Place(), recorder=Recorder(None)) as app,
        TestClient(app, base_url="http://localhost") as client,
    ):
        yield client


@pytest.fixture
def plan(tmp_path: Path) -> Callable[[], FolderPlan]:
    """A folder of three pictures, the second of which is none; results go into ``out`` beside them."""
    from edge_sr.demo.folder import FolderPlan
    from tests.demo.pictures import png

    for number in range(3):
        (tmp_path / f"{number}.png").write_bytes(png(seed=number) if number != 1 else b"no picture")
    jobs = [(tmp_path / f"{number}.png", tmp_path / "out" / f"{number}_x4.png") for number in range(3)]
    return lambda: FolderPlan(jobs, left_out=2)
