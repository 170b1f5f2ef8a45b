from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.arm64.conftest import chosen

ROOT = Path(__file__).resolve().parents[2]


def test_there_are_20_at_most_and_none_twice() -> None:
    assert 0 < len(chosen()) <= 20
    assert len(set(chosen())) == len(chosen())


def test_every_one_is_there_and_marked() -> None:
    files = sorted({name.partition("::")[0] for name in chosen()} | {"tests/arm64"})
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "-m", "arm64", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = {line for line in done.stdout.splitlines() if "::" in line}
    assert found == set(chosen()), done.stdout[-2000:]
