"""The table of peers, without building any of them."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("benchmarks", reason="benchmarks are not in the wheel")

from benchmarks.peers import base, opencv
from edge_sr.errors import EnvironmentFault, UsageError

ROOT = Path(base.__file__).parents[2]
WHERE = base.Surroundings(Path("nowhere"), 1)


@pytest.mark.parametrize("place", base.PEERS.values())
def test_every_entry_names_a_function_that_is_there(place: str) -> None:
    module, _, function = place.partition(":")
    tree = ast.parse((ROOT / f"{module.replace('.', '/')}.py").read_text())
    assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_an_unknown_name_is_told_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match="no such peer: srgan.*x4plus"):
        base.make_peer("srgan", WHERE)


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PEERS", {"other": "package_that_is_not_there.net:make"})
    with pytest.raises(EnvironmentFault, match="other needs the package package_that_is_not_there"):
        base.make_peer("other", WHERE)


def test_bicubic_has_four_times_the_sides() -> None:
    peer = base.make_peer("bicubic", WHERE)
    assert isinstance(peer, opencv.OpenCvBicubic)
    peer.open()
    sr = peer(np.full((6, 5), 77, np.uint8))
    peer.close()
    assert (sr.shape, sr.dtype, set(sr.ravel().tolist())) == ((24, 20), np.uint8, {77})
    assert (peer.parameters, peer.macs, peer.random_weights) == (None, None, False)
