"""The published system with random weights and a tiny autoencoder, exported as ``edge-sr-host export`` does."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from edge_sr.artifacts.bundle import Bundle
from host_training.export import export
from host_training.loop import CONFIGS
from host_training.random_weights import CONFIG


def tiny_configuration(folder: Path) -> Path:
    """The shipped configuration, of the tiny autoencoder."""
    text = (CONFIGS / CONFIG).read_text()
    (folder / CONFIG).write_text(text.replace('architecture = "published"', 'architecture = "tiny"'))
    return folder


def published_bundle(folder: Path, *words: str) -> Bundle:
    """words: further options. The folder is to be an existing one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("host_training.export.CONFIGS", tiny_configuration(folder))
        command = ["--mode", "paper", "--random-weights", "-o", str(folder / "published"), *words]
        result = CliRunner().invoke(export, command)
    assert result.exit_code == 0, result.output
    return Bundle.open(folder / "published")
