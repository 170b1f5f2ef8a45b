"""Pairs of whole pictures and their latents: whatever is drawn, LR is made of the HR that stands beside it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from edge_sr.errors import UsageError
from host_training.data.crops import load_pictures
from host_training.data.latent_pairs import Pairs, Versions, degradation_of, latents_of
from host_training.data.protocol import lr_of
from host_training.prepare.command import prepare

PAPER = Versions("paper", 3)


def stored(data_dir: Path, out: Path, *options: str) -> Path:
    words = [str(data_dir / "nih"), "-o", str(out), "--jobs", "1", "--patient-pattern", r"(\w+)-", "--split", "100/0/0"]
    result = CliRunner().invoke(prepare, [*words, *options])
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def stores(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One for each degradation, all pictures in the training split."""
    folder = tmp_path_factory.mktemp("stores")
    names = ("cubic", "cubic-from-hr")
    return {name: stored(data_dir, folder / name, "--degradation", name) for name in names}


def grey(pictures: np.ndarray) -> np.ndarray:
    return np.rint(pictures * 255).astype(np.uint8)


def pairs_of(data_dir: Path, tmp_path: Path, versions: Versions, *, seed: int = 0) -> Pairs:
    return Pairs(data_dir, "train", cache_dir=tmp_path, versions=versions, seed=seed)


@pytest.mark.parametrize("versions", [Versions(), PAPER, Versions("edge", 2)])
def test_lr_is_the_area_mean_of_whatever_hr_is_shown(data_dir: Path, tmp_path: Path, versions: Versions) -> None:
    pairs = pairs_of(data_dir, tmp_path, versions)
    assert degradation_of(data_dir) == "area" and len(pairs) == 3 * versions.variants
    hr, lr = pairs.batch(range(len(pairs)))
    assert hr.shape == (len(pairs), 1, 256, 256) and lr.shape == (len(pairs), 1, 64, 64) and hr.dtype == np.float32
    assert np.array_equal(grey(lr), lr_of(grey(hr)))


def test_pairs_as_published_come_from_their_store(stores: dict[str, Path], tmp_path: Path) -> None:
    pairs = pairs_of(stores["cubic"], tmp_path, Versions())
    assert pairs.degradation == "cubic"
    hr, lr = pairs.batch([2, 0])
    picture = load_pictures(stores["cubic"], "train", cache_dir=tmp_path)[2]
    assert np.array_equal(grey(hr[0, 0]), cv2.resize(picture, (256, 256), interpolation=cv2.INTER_CUBIC))
    assert np.array_equal(grey(lr[0, 0]), cv2.resize(picture, (64, 64), interpolation=cv2.INTER_CUBIC))


def test_augmented_pairs_keep_the_published_degradations(stores: dict[str, Path], tmp_path: Path) -> None:
    hr, lr = pairs_of(stores["cubic-from-hr"], tmp_path, PAPER).batch(range(9))
    expected = [cv2.resize(picture[0], (64, 64), interpolation=cv2.INTER_CUBIC) for picture in grey(hr)]
    assert np.array_equal(grey(lr[:, 0]), np.stack(expected))
    hr, lr = pairs_of(stores["cubic"], tmp_path, PAPER).batch(range(9))
    aliased = np.abs(lr[:, 0] - np.stack([cv2.resize(p[0], (64, 64), interpolation=cv2.INTER_CUBIC) for p in hr]))
    assert aliased.mean() < 0.02 and aliased.max() > 0  # the same place, but read from the finer picture


def test_a_pair_is_a_function_of_seed_picture_and_variant(data_dir: Path, tmp_path: Path) -> None:
    pairs, other = pairs_of(data_dir, tmp_path, PAPER), pairs_of(data_dir, tmp_path, PAPER, seed=1)
    whole = pairs.batch(range(9))[0]
    assert np.array_equal(pairs.batch([4])[0], whole[4:5])
    assert len({picture.tobytes() for picture in whole}) > 5
    assert not np.array_equal(other.batch(range(9))[0], whole)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("none", 4), r"variants: 4 with augment = 'none'; expected 1"),
        (("paper", 0), r"variants: 0 with augment = 'paper'; expected at least 1"),
        (("papre", 1), r"no such augmentation: papre"),
    ],
)
def test_versions_that_cannot_be_are_named(options: tuple[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Versions(*options)


def test_pictures_that_are_no_finer_than_hr_cannot_be_augmented_as_published(data_dir: Path, tmp_path: Path) -> None:
    store = stored(data_dir, tmp_path / "store", "--degradation", "cubic", "--side", "256")
    assert len(pairs_of(store, tmp_path, Versions())) == 5
    with pytest.raises(UsageError, match=r"degradation cubic are made of pictures finer than HR(?s:.*)--side 512"):
        pairs_of(store, tmp_path, PAPER)


def test_latents_are_computed_once_for_what_they_depend_on(data_dir: Path, tmp_path: Path) -> None:
    pairs, calls = pairs_of(data_dir, tmp_path, PAPER), []

    def encode(pictures: torch.Tensor) -> torch.Tensor:
        calls.append(len(pictures))
        return pictures.mean((1, 2, 3))

    def call(made_by: str) -> tuple[torch.Tensor, torch.Tensor]:
        path, device = tmp_path / "latents.safetensors", torch.device("cpu")
        return latents_of(pairs, range(9), (encode, encode), path, made_by=made_by, device=device)

    first, again = call("one autoencoder"), call("one autoencoder")
    assert sum(calls) == 18 and max(calls) <= 4  # HR and LR once each
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    expected = [torch.from_numpy(x).mean((1, 2, 3)) for x in pairs.batch(range(9))]
    torch.testing.assert_close(list(first), expected)
    call("another autoencoder")
    assert sum(calls) == 36
