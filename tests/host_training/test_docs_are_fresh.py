"""The figures in README and docs are those that were measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_no_document_is_behind_its_results() -> None:
    if not (ROOT / "scripts" / "refresh_docs.py").is_file():
        pytest.skip("no checkout beside the tests")
    command = [sys.executable, str(ROOT / "scripts" / "refresh_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
