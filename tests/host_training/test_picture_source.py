"""What a feed-forward net is shown, by [data] of its configuration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from edge_sr.errors import InputError, UsageError
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.data.crops import hr_stack, load_pictures, unit
from host_training.data.imresize import imresize
from host_training.data.natural import luma
from host_training.data.picture_source import Data, PictureSource
from host_training.data.protocol import lr_of
from host_training.loop import Schedule
from tests.host_training.evaluation.toy_data import patients_of
from tests.host_training.natural_folders import write_div2k

CPU = torch.device("cpu")


def schedule(crop: int = 64, augment: str = "turns") -> Schedule:
    return Schedule(steps=1, batch=4, crop=crop, learning_rate=1e-3, augment=augment)


@pytest.fixture
def radiographs(tmp_path: Path) -> Path:
    rows = ["path,source,patient_id"]
    for split, patient in ((split, next(patients_of(split))) for split in ("train", "validation")):
        rows.append(f"nih/{split}.png,phantom,{patient}")
        (tmp_path / "nih").mkdir(exist_ok=True)
        write_png(tmp_path / f"nih/{split}.png", chest_phantom(seed=len(rows)), text={})
    (tmp_path / "MANIFEST.csv").write_text("\n".join(rows))
    return tmp_path


def natural(folder: Path, *, channels: int = 3, scale: int = 4, degradation: str = "bicubic") -> PictureSource:
    write_div2k(folder)
    data = Data("natural", degradation)
    return PictureSource(data, schedule(), folder, cache=folder / "runs", channels=channels, scale=scale)


def levels(pictures: torch.Tensor) -> np.ndarray:
    """(n, C, H, W) -> (n, H, W, C) uint8."""
    return np.rint(pictures.numpy() * 255).astype(np.uint8).transpose(0, 2, 3, 1)


@pytest.mark.parametrize(("channels", "scale"), [(3, 4), (1, 4), (3, 2)])
def test_natural_pairs_obey_the_degradation(tmp_path: Path, channels: int, scale: int) -> None:
    hr, lr = natural(tmp_path, channels=channels, scale=scale).batch(5, range(4), CPU)
    assert hr.shape == (4, channels, 64, 64) and lr.shape == (4, channels, 64 // scale, 64 // scale)
    for high, low in zip(levels(hr), levels(lr), strict=True):
        expected = imresize(high, 64 // scale, 64 // scale)
        np.testing.assert_array_equal(low, expected.reshape(low.shape))


def test_a_sample_depends_on_step_and_number_alone(tmp_path: Path) -> None:
    source = natural(tmp_path)
    together, alone = source.batch(3, range(4), CPU)[0], source.batch(3, [2], CPU)[0]
    assert torch.equal(together[2], alone[0])
    assert not torch.equal(source.batch(4, [2], CPU)[0], alone)


def test_validation_is_the_middle_of_each_picture(tmp_path: Path) -> None:
    hr, lr = natural(tmp_path).validation(CPU)
    picture = natural(tmp_path).pictures("validation")[0]  # 100x90, the other 100x99
    assert hr.shape == (2, 3, 88, 88) and lr.shape == (2, 3, 22, 22)
    np.testing.assert_array_equal(levels(hr)[0], picture[6:94, 1:89])


def test_natural_colour_is_judged_by_luma_without_a_border(tmp_path: Path) -> None:
    source = natural(tmp_path)
    hr, _ = source.validation(CPU)
    judged = source.judged(hr)
    assert judged.shape == (2, 1, 80, 80)
    assert np.abs(judged.numpy()[:, 0] * 255 - luma(levels(hr)[0])[4:-4, 4:-4])[0].max() <= 0.5 + 1e-3


def test_radiographs_are_as_they_were(radiographs: Path) -> None:
    source = PictureSource(Data(), schedule(augment="edge"), radiographs, cache=radiographs / "runs")
    hr, lr = source.validation(CPU)
    stored = load_pictures(radiographs, "validation", cache_dir=radiographs / "runs")
    np.testing.assert_array_equal(hr.numpy(), unit(hr_stack(stored)[:, None]))
    np.testing.assert_array_equal(lr.numpy(), unit(lr_of(hr_stack(stored))[:, None]))
    assert source.projected and source.judged(hr) is hr


def test_grey_is_repeated_for_three_channels(radiographs: Path) -> None:
    source = PictureSource(Data(), schedule(augment="edge"), radiographs, cache=radiographs / "runs", channels=3)
    hr, lr = source.batch(0, range(2), CPU)
    assert hr.shape == (2, 3, 64, 64) and lr.shape == (2, 3, 16, 16)
    assert torch.equal(hr[:, 0], hr[:, 2])
    torch.testing.assert_close(source.judged(hr), hr[:, :1])


def test_only_the_mean_is_projected(tmp_path: Path) -> None:
    assert natural(tmp_path, degradation="area").projected
    assert not natural(tmp_path, degradation="bicubic").projected
    unasked = PictureSource(Data(project=False), schedule(), tmp_path, cache=tmp_path)
    assert not unasked.projected


@pytest.mark.parametrize(("name", "value"), [("kind", "natrual"), ("degradation", "cubic")])
def test_a_slip_of_the_pen_is_told(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=rf"\[data\]: {name} = '{value}'; expected"):
        Data(**{name: value})


@pytest.mark.parametrize(("crop", "augment", "told"), [(64, "edge", "expected turns"), (62, "turns", "multiple of 4")])
def test_a_schedule_that_does_not_fit_is_told(tmp_path: Path, crop: int, augment: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        PictureSource(Data("natural"), schedule(crop, augment), tmp_path, cache=tmp_path, channels=3)


def test_a_patch_must_fit_into_every_picture(tmp_path: Path) -> None:
    folder = write_div2k(tmp_path)
    source = PictureSource(Data("natural"), schedule(crop=112), folder, cache=tmp_path / "runs", channels=3)
    with pytest.raises(InputError, match=r"0001\.png: 112x96 pixels"):
        source.pictures("train")
