from __future__ import annotations

import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_sr import pipeline
from edge_sr.diffusion.noise import noise_field
from edge_sr.diffusion.samplers import NoiseOfStep
from edge_sr.errors import EnvironmentFault, InputError, UsageError
from edge_sr.image.bicubic import upsample_bicubic
from edge_sr.image.consistency import area_mean
from edge_sr.image.png import read_text, write_png
from edge_sr.image.radiograph import Radiograph, read_radiograph, to_unit
from edge_sr.models.base import written_into
from edge_sr.models.bicubic import Bicubic
from edge_sr.pipeline import Workspace, upscale, upscale_file
from edge_sr.timing import PHASES, Phases


class NoisyBicubic(Bicubic):
    """Takes 64x64 tiles only and adds its noise to what it sees, so that every seam and every draw shows."""

    tile: int | None = 64
    degradation = "none"
    amplitude = 0.05

    def __init__(self) -> None:
        self.batches: list[int] = []

    def noise_shape(self, n_lr_h: int, n_lr_w: int) -> tuple[int, int, int]:
        return (4, n_lr_h // 2, n_lr_w // 2)

    def __call__(
        self,
        lr: np.ndarray,
        *,
        noise: np.ndarray | None,
        fidelity: float,
        noise_of_step: NoiseOfStep | None = None,
        out: np.ndarray | None = None,
    ) -> np.ndarray:
        self.batches.append(len(lr))
        assert lr.shape[1:] == (1, 64, 64)
        sr = upsample_bicubic(lr)
        if noise is None:
            return written_into(out, sr)
        assert noise_of_step is not None
        drawn = noise + noise_of_step(0)  # (N, 4, 32, 32)
        added = np.float32(self.amplitude * (1 - fidelity)) * np.repeat(np.repeat(drawn[:, :1], 8, 2), 8, 3)
        return written_into(out, sr + added)


def radiograph(height: int, width: int, dtype: type = np.uint8) -> Radiograph:
    small = np.random.default_rng(0).uniform(0.3, 0.7, (height // 8 + 2, width // 8 + 2))
    pixels = (cv2.resize(small, (width, height)) * np.iinfo(dtype).max).astype(dtype)
    return Radiograph(pixels, 8 * pixels.itemsize, "0" * 64)


@pytest.mark.parametrize("size", [(64, 64), (8, 8), (300, 200), (65, 131)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_size_grows_fourfold_and_depth_stays(size: tuple[int, int], dtype: type) -> None:
    result = upscale(radiograph(*size, dtype), NoisyBicubic())
    assert result.pixels.shape == (size[0] * 4, size[1] * 4)
    assert result.pixels.dtype == dtype


def test_tiles_leave_no_seam() -> None:
    source = radiograph(200, 300)
    whole = upsample_bicubic(to_unit(source.pixels))[0, 0] * 255
    difference = upscale(source, NoisyBicubic()).pixels - whole
    assert np.abs(difference[16:-16, 16:-16]).max() < 2  # a tile's edge differs where it cannot see its neighbour


def test_noise_is_one_field_cut_like_the_picture() -> None:
    source = Radiograph(np.full((100, 150), 128, np.uint8), 8, "0" * 64)
    field = noise_field(3, (4, 64, 96))[0, 0] + noise_field(3, (4, 64, 96), step=1)[0, 0]
    expected = 128 + 255 * 0.05 * np.repeat(np.repeat(field, 8, 0), 8, 1)[:400, :600]
    result = upscale(source, NoisyBicubic(), seed=3, fidelity=0.0)
    np.testing.assert_allclose(result.pixels, np.clip(expected, 0, 255), atol=0.51)


def test_batches_hold_eight_tiles_at_most() -> None:
    model = NoisyBicubic()
    upscale(radiograph(65, 300), model)
    assert model.batches == [8, 4]


@pytest.mark.parametrize("fidelity", [0.0, 1.0])
def test_the_seed_decides_below_full_fidelity(fidelity: float) -> None:
    source = radiograph(64, 64)
    first, again, other = (upscale(source, NoisyBicubic(), seed=s, fidelity=fidelity).pixels for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.array_equal(first, other) == (fidelity == 1)


def test_a_blended_picture_is_projected_again() -> None:
    model = NoisyBicubic()
    model.degradation = "area"
    source = radiograph(100, 100)
    result = upscale(source, model, seed=1, fidelity=0.0)
    assert result.provenance["lr_rmse"] <= 0.15
    np.testing.assert_allclose(area_mean(to_unit(result.pixels))[0, 0] * 255, source.pixels, atol=0.6)


def test_colour_keeps_its_chroma(tmp_path: Path) -> None:
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[:, :32], rgb[:, 32:] = (200, 40, 40), (40, 40, 200)
    Image.fromarray(rgb).save(tmp_path / "colour.png")
    result = upscale(read_radiograph(tmp_path / "colour.png", colour="luma"), Bicubic())
    assert result.pixels.shape == (256, 256, 3)
    assert np.abs(result.pixels[128, 60].astype(int) - (200, 40, 40)).max() <= 3
    assert np.abs(result.pixels[128, 200].astype(int) - (40, 40, 200)).max() <= 3


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


def test_a_workspace_is_used_again_and_no_result_lies_in_it() -> None:
    sources, workspace = [radiograph(size, size) for size in (64, 64, 100, 50)], Workspace()
    results = [upscale(each, NoisyBicubic(), seed=2, fidelity=0.0, workspace=workspace) for each in sources]
    assert workspace.array((1, 1, 256, 256)) is workspace.array((1, 1, 256, 256))
    workspace.array((1, 1, 256, 256))[:] = 9
    for source, result in zip(sources, results, strict=True):
        np.testing.assert_array_equal(result.pixels, upscale(source, NoisyBicubic(), seed=2, fidelity=0.0).pixels)


def test_a_workspace_lets_go_of_a_large_picture() -> None:
    workspace = Workspace()
    large = workspace.array((pipeline.LARGEST_KEPT + 1,))
    assert workspace.array(large.shape) is not large


def test_a_picture_without_its_sidecar_is_taken_back(
    chest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise EnvironmentFault("no space")

    monkeypatch.setattr(pipeline, "write_atomically", full)
    with pytest.raises(EnvironmentFault, match="no space"):
        upscale_file(chest, tmp_path / "sr.png", Bicubic())
    assert [path.name for path in tmp_path.iterdir()] == ["chest.png"]


def test_too_little_memory_is_told_of_the_file(chest: Path, tmp_path: Path) -> None:
    class Greedy(Bicubic):
        def __call__(self, lr: np.ndarray, **options: object) -> np.ndarray:
            raise MemoryError

    with pytest.raises(InputError, match=r"chest\.png: 64x64 pixels need more memory"):
        upscale_file(chest, tmp_path / "sr.png", Greedy())


def test_a_folder_that_cannot_be_made_is_the_machine_s_fault(chest: Path) -> None:
    with pytest.raises(EnvironmentFault, match="cannot make the output folder"):
        upscale_file(chest, chest / "inside" / "sr.png", Bicubic())


def test_the_sidecar_of_an_old_result_is_not_touched(chest: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "sr.png", np.zeros((8, 8), np.uint8), text={})
    (tmp_path / "sr.json").write_text("old")
    with pytest.raises(UsageError, match="exists"):
        upscale_file(chest, tmp_path / "sr.png", Bicubic())
    assert (tmp_path / "sr.json").read_text() == "old"


def test_samples_give_their_mean_and_deviation() -> None:
    source = radiograph(64, 64)
    single = [upscale(source, NoisyBicubic(), seed=seed, fidelity=0.0).pixels for seed in (5, 6, 7, 8)]
    result = upscale(source, NoisyBicubic(), seed=5, samples=4)
    assert result.spread is not None and result.spread.shape == (256, 256) and result.spread.dtype == np.float32
    np.testing.assert_allclose(result.pixels, np.mean(single, axis=0), atol=1.01)
    np.testing.assert_allclose(result.spread * 255, np.std(single, axis=0, ddof=1), atol=0.6)
    assert (result.provenance["samples"], result.provenance["fidelity"], result.provenance["seed"]) == (4, 0.0, 5)


def test_one_sample_has_no_spread() -> None:
    result = upscale(radiograph(64, 64), NoisyBicubic())
    assert result.spread is None and result.provenance["samples"] == 1


@pytest.mark.parametrize(("model", "fidelity"), [(Bicubic(), None), (NoisyBicubic(), 1.0)])
def test_samples_that_cannot_differ_are_refused(model: Bicubic, fidelity: float | None) -> None:
    with pytest.raises(UsageError, match="samples are all alike"):
        upscale(radiograph(64, 64), model, fidelity=fidelity, samples=2)


def test_the_spread_picture_tells_its_gain(tmp_path: Path) -> None:
    result = upscale(radiograph(64, 64), NoisyBicubic(), samples=3)
    pipeline.write_spread(tmp_path / "spread.png", result)
    picture = cv2.imread(str(tmp_path / "spread.png"), cv2.IMREAD_UNCHANGED)
    assert result.spread is not None
    np.testing.assert_array_equal(picture, np.rint(np.minimum(result.spread * np.float32(255 * 16), 255)))
    assert json.loads(read_text(tmp_path / "spread.png")["edge-sr"])["gain"] == 16
