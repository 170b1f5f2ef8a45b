"""What several rooms' tests need: a tiny bundle, a fake one, and the command line in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import numpy as np
import pytest
from click.testing import CliRunner, Result

from edge_sr.artifacts.bundle import Bundle
from edge_sr.cli import group
from edge_sr.image.png import write_png
from tests import tiny_bundle, tiny_generator

RunCli = Callable[..., Result]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose four networks run in ONNX Runtime."""
    pytest.importorskip("onnxruntime", reason="the networks run in ONNX Runtime")
    pytest.importorskip("onnx", reason="the networks are written with onnx")
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle.write_networks(folder / "staging")
    return tiny_bundle.publish(folder / "staging", folder / "tiny")


@pytest.fixture(scope="session")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose networks only a fake backend can open; onnx is not needed."""
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle.write_fake_networks(folder / "staging")
    return tiny_bundle.publish(folder / "staging", folder / "fake")


@pytest.fixture(scope="session")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of a feed-forward family."""
    pytest.importorskip("onnxruntime", reason="the network runs in ONNX Runtime")
    pytest.importorskip("onnx", reason="the network is written with onnx")
    return tiny_generator.publish(tmp_path_factory.mktemp("bundles") / "generator")


@pytest.fixture(scope="session", autouse=True)
def no_engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No fixture sees the engines of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGE_SR_CACHE", str(tmp_path_factory.getbasetemp() / "no-engines"))
        yield


@pytest.fixture(autouse=True)
def engine_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nor does a test see those of another test. The folder is not made yet."""
    folder = tmp_path_factory.getbasetemp() / "engines" / uuid4().hex
    monkeypatch.setenv("EDGE_SR_CACHE", str(folder))
    return folder


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunCli:
    """Calls ``edge-sr`` with the given words inside tmp_path."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object, **env: str) -> Result:
        return CliRunner().invoke(group, [str(word) for word in words], env=env)

    return call


@pytest.fixture
def chest(tmp_path: Path) -> Path:
    """A 64x64 grey PNG; noise serves where nobody looks at it."""
    path = tmp_path / "chest.png"
    write_png(path, np.random.default_rng(0).integers(60, 200, (64, 64), np.uint8), text={})
    return path
