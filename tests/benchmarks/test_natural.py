"""Colour models on natural pictures: the protocol is the published one, and a model runs as the product runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

pytest.importorskip("torch", reason="the evaluation belongs to the host")
natural = pytest.importorskip("benchmarks.natural", reason="needs a checkout: benchmarks is not installed")

from edge_sr.errors import UsageError  # noqa: E402
from tests import tiny_generator  # noqa: E402


def write_sets(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    for name in natural.SETS:
        (folder / name).mkdir(parents=True)
        coarse = rng.integers(0, 256, (20, 24, 3), np.uint8)
        Image.fromarray(coarse).resize((97, 82), Image.Resampling.BICUBIC).save(folder / name / "a.png")
    return folder


def test_a_colour_bundle_stands_beside_bicubic(tmp_path: Path) -> None:
    bundle = tiny_generator.publish(tmp_path / "net", channels=3, degradation="bicubic")
    words = [str(bundle.folder), "--sets", str(write_sets(tmp_path / "sets")), "--out", str(tmp_path / "r.json")]
    done = CliRunner().invoke(natural.command, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    rows = json.loads((tmp_path / "r.json").read_text())["sets"]["Set5"]["rows"]
    assert set(rows) == {"bicubic", "tiny-generator"}
    assert rows["bicubic"]["psnr_db"] > rows["tiny-generator"]["psnr_db"] > 10  # random weights, but the right picture


def test_a_grey_model_is_refused(tmp_path: Path, generator: object) -> None:
    words = [str(generator.folder), "--sets", str(tmp_path)]  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match="is not for colour"):
        CliRunner().invoke(natural.command, words, catch_exceptions=False)


@pytest.mark.skipif(not os.environ.get("EDGE_SR_DATA"), reason="EDGE_SR_DATA names no folder with Set5")
def test_bicubic_comes_out_as_published() -> None:
    found = natural.measured(Path(os.environ["EDGE_SR_DATA"]) / "natural" / "Set5", {"bicubic": natural.bicubic})
    assert found["bicubic_luma_first_db"] == pytest.approx(found["bicubic_published_db"], abs=0.005)
