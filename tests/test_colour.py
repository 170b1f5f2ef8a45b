"""Models of three channels, and of twice the size, through the whole house: read, run, written, calibrated, built."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from edge_sr.artifacts.bundle import Bundle
from edge_sr.image.radiograph import from_unit, read_radiograph, to_unit
from tests import tiny_generator
from tests.conftest import RunCli


@pytest.fixture(scope="module")
def retina(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Three channels, twice the size, LR of no known degradation."""
    pytest.importorskip("onnxruntime", reason="the network runs in ONNX Runtime")
    pytest.importorskip("onnx", reason="the network is written with onnx")
    folder = tmp_path_factory.mktemp("bundles") / "retina"
    return tiny_generator.publish(folder, channels=3, scale=2, degradation="high-order")


def photograph(side: int = 96) -> np.ndarray:
    """(side, side, 3) uint8 RGB: smooth, and of no single grey."""
    rows, columns = np.mgrid[:side, :side] / side
    return np.rint(255 * np.dstack([rows, columns, 0.5 + 0.4 * np.sin(9 * rows * columns)])).astype(np.uint8)


def test_pixels_in_colour_survive_the_way_to_floats_and_back() -> None:
    rgb = photograph()
    assert to_unit(rgb).shape == (1, 3, 96, 96)
    np.testing.assert_array_equal(from_unit(to_unit(rgb), 8), rgb)


def test_colour_is_kept_where_it_is_asked_for(tmp_path: Path) -> None:
    Image.fromarray(photograph()).save(tmp_path / "p.png")
    radiograph = read_radiograph(tmp_path / "p.png", colour="rgb")
    np.testing.assert_array_equal(radiograph.pixels, photograph())
    assert radiograph.chroma is None


def test_a_colour_model_takes_colour_and_names_its_scale(cli: RunCli, tmp_path: Path, retina: Bundle) -> None:
    Image.fromarray(photograph()).save(tmp_path / "eye.png")
    assert cli("run", "eye.png", "--model", retina.folder, "--compare").exit_code == 0
    with Image.open(tmp_path / "eye_x2.png") as picture:
        sr = np.asarray(picture)
    assert sr.shape == (192, 192, 3)
    smooth = cv2.resize(photograph(), (192, 192), interpolation=cv2.INTER_LINEAR)
    assert np.abs(sr.astype(int) - smooth).mean() < 10  # no channel was swapped for another
    provenance = json.loads((tmp_path / "eye_x2.json").read_text())
    assert (provenance["colour"], provenance["scale"]) == ("rgb", 2)
    assert (tmp_path / "eye_x2_compare.png").is_file()


def test_a_colour_model_gives_grey_back_for_grey(cli: RunCli, tmp_path: Path, retina: Bundle) -> None:
    Image.fromarray(photograph()[..., 0]).save(tmp_path / "grey.png")
    assert cli("run", "grey.png", "--model", retina.folder).exit_code == 0
    with Image.open(tmp_path / "grey_x2.png") as picture:
        assert (picture.mode, picture.size) == ("L", (192, 192))


def test_a_second_run_leaves_its_own_outputs_alone(cli: RunCli, tmp_path: Path, retina: Bundle) -> None:
    (tmp_path / "eyes").mkdir()
    Image.fromarray(photograph()).save(tmp_path / "eyes" / "eye.png")
    for _ in range(2):
        assert cli("run", "eyes", "--model", retina.folder, "-o", "eyes", "--overwrite").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "eyes").iterdir()) == ["eye.png", "eye_x2.json", "eye_x2.png"]


def test_models_of_two_scales_do_not_stand_in_for_each_other(cli: RunCli, tmp_path: Path, retina: Bundle) -> None:
    Image.fromarray(photograph()).save(tmp_path / "eye.png")
    told = cli("run", "eye.png", "--model", f"{retina.folder},bicubic")
    assert told.exit_code == 2 and "different scales" in told.stderr


def test_a_colour_model_is_built_in_int8(cli: RunCli, tmp_path: Path, retina: Bundle) -> None:
    pytest.importorskip("onnx_graphsurgeon", reason="built with the extra build")
    built = cli("build", retina.folder, "--precision", "int8", "--check-phantoms", 4, "--calibration-phantoms", 8)
    assert built.exit_code == 0, built.stderr
    Image.fromarray(photograph()).save(tmp_path / "eye.png")
    assert cli("run", "eye.png", "--model", retina.folder, "--precision", "int8").exit_code == 0
    assert json.loads((tmp_path / "eye_x2.json").read_text())["precision"] == "int8"
