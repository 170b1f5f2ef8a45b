"""Phantoms, a tiny KL autoencoder in diffusers' folder format, and a network that nobody may ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from host_training.nets.kl_autoencoder import new_autoencoder, save_autoencoder
from tests.host_training.evaluation.toy_data import patients_of


@pytest.fixture(autouse=True, scope="session")
def offline() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three training and two validation pictures of 512x512."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "nih").mkdir()
    rows = ["path,source,patient_id"]
    for split, count in (("train", 3), ("validation", 2)):
        for number, patient in zip(range(count), patients_of(split), strict=False):
            rows.append(f"nih/{split}-{number}.png,phantom,{patient}")
            write_png(folder / f"nih/{split}-{number}.png", chest_phantom(512, seed=len(rows)), text={})
    (folder / "MANIFEST.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a tiny KL autoencoder with random weights."""
    folder = tmp_path_factory.mktemp("kl") / "tiny"
    save_autoencoder(new_autoencoder("tiny"), folder)
    return folder
