"""The figures in README and docs are those that were measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle
from host_training.evaluation.record import read_record

ROOT = Path(__file__).resolve().parents[2]


def test_no_document_is_behind_its_results() -> None:
    if not (ROOT / "scripts" / "refresh_docs.py").is_file():
        pytest.skip("no checkout beside the tests")
    command = [sys.executable, str(ROOT / "scripts" / "refresh_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_committed_evaluation_is_of_the_default_bundle() -> None:
    path = ROOT / "benchmarks" / "results" / "evaluation.json"
    if not path.is_file():
        pytest.skip("no checkout beside the tests")
    (measured,) = read_record(path)["bundles"].values()
    shipped = Bundle.open(default_bundle()).manifest.networks
    assert measured["networks_sha256"] == {role: network.sha256 for role, network in shipped.items()}
