"""What tests of builds need: ranges of the default bundle, found once, and little time spent on timing."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle
from edge_sr.artifacts.chain import Chain, chain_of


@pytest.fixture(scope="session")
def default_chain() -> Chain:
    """One step of the bundle that ships."""
    return chain_of(Bundle.open(default_bundle()), steps=1)


@pytest.fixture(scope="session")
def default_table(default_chain: Chain, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration table of that chain, whether or not one ships: ranges on four phantoms, which hold the gates."""
    pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")
    from build_engines.chain_graphs import float_graphs
    from build_engines.ranges.calibrated import calibrated
    from tests.build_engines.sr_models import pictures

    path = tmp_path_factory.mktemp("tables") / "table.json"
    calibrated(default_chain, float_graphs(default_chain), pictures(4), method="minmax").write(path)
    return path


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Models are timed in three rounds and not for seconds."""
    from build_engines import candidate

    monkeypatch.setattr(candidate, "TIMED_MS", 0.0)
