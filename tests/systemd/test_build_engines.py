"""systemd/build-engines, which edge-sr-build.service runs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from .conftest import UNITS


def build(folder: Path, bundles: str | None, fails: str = "none") -> tuple[int, list[str]]:
    """The exit code, and the bundles that were tried; those in ``fails`` end with 4, "broken" with 5."""
    stub = folder / "edge-sr"
    stub.write_text(
        f'#!/bin/sh\necho "$*"\ncase $2 in broken) exit 5 ;; {fails}) exit 4 ;; esac\n',
    )
    stub.chmod(0o755)
    env = {"PATH": "/usr/bin:/bin"} if bundles is None else {"PATH": "/usr/bin:/bin", "EDGE_SR_BUNDLES": bundles}
    command = [str(UNITS / "build-engines"), str(stub)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def test_each_bundle_is_built(tmp_path: Path) -> None:
    assert build(tmp_path, "default /srv/mine") == (0, ["build default", "build /srv/mine"])


def test_without_a_list_it_is_the_default(tmp_path: Path) -> None:
    assert build(tmp_path, None) == (0, ["build default"])


@pytest.mark.parametrize(("bundles", "code"), [("broken fast default", 5), ("fast broken default", 4)])
def test_the_others_are_tried_after_a_failure(tmp_path: Path, bundles: str, code: int) -> None:
    assert build(tmp_path, bundles, fails="fast") == (code, [f"build {name}" for name in bundles.split()])
