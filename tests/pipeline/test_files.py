from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_sr.errors import EnvironmentFault, InputError, UsageError
from edge_sr.image.png import read_text, write_png
from edge_sr.models.bicubic import Bicubic
from edge_sr.pipeline import files, upscale, upscale_file
from edge_sr.timing import PHASES, Phases
from tests.pipeline.pictures import NoisyBicubic, radiograph


def test_files_hold_the_provenance(chest: Path, tmp_path: Path) -> None:
    upscale_file(chest, tmp_path / "out" / "sr.png", Bicubic())
    text = read_text(tmp_path / "out" / "sr.png")
    provenance = json.loads(text["edge-sr"])
    assert provenance["input_sha256"] == hashlib.sha256(chest.read_bytes()).hexdigest()
    assert "diagnostic" in text["Comment"]
    sidecar = json.loads((tmp_path / "out" / "sr.json").read_text())
    assert sidecar.items() >= provenance.items()
    assert list(sidecar["phases_ms"]) == ["decode", "prepare", "compute", "finish", "encode", "write"]


def test_same_input_same_bytes(chest: Path, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        upscale_file(chest, tmp_path / name, NoisyBicubic(), seed=5, fidelity=0.3)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_phases_are_measured_in_order(chest: Path, tmp_path: Path) -> None:
    phases = Phases()
    upscale_file(chest, tmp_path / "sr.png", NoisyBicubic(), phases=phases)
    assert list(phases.ms) == ["decode", "prepare", "compute", "finish", "encode", "write"]


def test_the_parts_of_the_model_s_time_are_told_apart(chest: Path, tmp_path: Path) -> None:
    class Timed(NoisyBicubic):
        @property
        def times(self) -> dict[str, float]:
            return {"copy_in": 0.0, "compute": 0.001, "copy_out": 0.0}

    phases = Phases()
    upscale_file(chest, tmp_path / "sr.png", Timed(), phases=phases)
    assert tuple(phases.ms) == PHASES
    assert phases.ms["compute"] == 0.001 and phases.ms["queue"] > 0


def test_a_picture_without_its_sidecar_is_taken_back(
    chest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise EnvironmentFault("no space")

    monkeypatch.setattr(files, "write_atomically", full)
    with pytest.raises(EnvironmentFault, match="no space"):
        upscale_file(chest, tmp_path / "sr.png", Bicubic())
    assert [path.name for path in tmp_path.iterdir()] == ["chest.png"]


def test_too_little_memory_is_told_of_the_file(chest: Path, tmp_path: Path) -> None:
    class Greedy(Bicubic):
        def __call__(self, lr: np.ndarray, **options: object) -> np.ndarray:
            raise MemoryError

    with pytest.raises(InputError, match=r"chest\.png: 64x64 pixels need more memory"):
        upscale_file(chest, tmp_path / "sr.png", Greedy())


def test_too_little_memory_for_the_png_is_too(chest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*args: object, **kwargs: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(files, "encode_png", greedy)
    with pytest.raises(InputError, match="need more memory"):
        upscale_file(chest, tmp_path / "sr.png", Bicubic())
    assert not (tmp_path / "sr.png").exists()


def test_a_sidecar_has_a_line_for_each_field() -> None:
    result = upscale(radiograph(64, 64), Bicubic())
    more = {"created": "now", "phases_ms": {"decode": 0.5, "write": 1}}
    text = files.sidecar_text(result, more).decode()
    assert json.loads(text) == {**result.provenance, **more}
    assert len(text.splitlines()) == len(result.provenance) + len(more) + 2


def test_a_folder_that_cannot_be_made_is_the_machine_s_fault(chest: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot make the output folder"):
        upscale_file(chest, chest / "inside" / "sr.png", Bicubic())


def test_the_sidecar_of_an_old_result_is_not_touched(chest: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "sr.png", np.zeros((8, 8), np.uint8), text={})
    (tmp_path / "sr.json").write_text("old")
    with pytest.raises(UsageError, match="exists"):
        upscale_file(chest, tmp_path / "sr.png", Bicubic())
    assert (tmp_path / "sr.json").read_text() == "old"


def test_the_spread_picture_tells_its_gain(tmp_path: Path) -> None:
    result = upscale(radiograph(64, 64), NoisyBicubic(), samples=3)
    files.write_spread(tmp_path / "spread.png", result)
    picture = cv2.imread(str(tmp_path / "spread.png"), cv2.IMREAD_UNCHANGED)
    assert result.spread is not None
    np.testing.assert_array_equal(picture, np.rint(np.minimum(result.spread * np.float32(255 * 16), 255)))
    assert json.loads(read_text(tmp_path / "spread.png")["edge-sr"])["gain"] == 16
