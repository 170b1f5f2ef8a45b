"""Small pictures that show what a variant does: before and after, and beside float32."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_sr.bench.hr_pictures import PHANTOM, HrPicture, pair
from edge_sr.bench.quality import Makers, bicubic_of, made_by
from edge_sr.bench.schema import Panel, Quality
from edge_sr.bench.scores import grey_levels
from edge_sr.bench.variants import Subject
from edge_sr.image.png import encode_png
from edge_sr.image.radiograph import Radiograph

SIDE = 256  # of HR that is shown, from the middle
GAIN = 8  # of the difference to float32
SHOWN = 2  # pictures


@dataclass
class Album:
    """panels: in the order of pictures and variants. pictures: PNG files in base64 by name, each stored once."""

    panels: list[Panel] = field(default_factory=list)
    pictures: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, pixels: np.ndarray) -> str:
        if name not in self.pictures:
            eight = pixels if pixels.dtype == np.uint8 else np.rint(grey_levels(pixels)).astype(np.uint8)
            self.pictures[name] = base64.b64encode(encode_png(eight, text={}, level=9)).decode()
        return name


def album_of(makers: Makers, chosen: Sequence[HrPicture]) -> Album:
    """Every variant on each of the pictures."""
    album = Album()
    for picture in chosen:
        whole = _middle(picture.read())
        for subject in makers.subjects:
            _add(album, makers, subject, picture.name, *pair(whole, subject.model.scale))
    return album


def _add(album: Album, makers: Makers, subject: Subject, name: str, hr: np.ndarray, lr: Radiograph) -> None:
    scale = subject.model.scale
    sr, prefix = made_by(subject.model, lr), f"{name}/x{scale}"
    images = {
        "lr": album.put(f"{prefix}/lr", lr.pixels),
        "bicubic": album.put(f"{prefix}/bicubic", bicubic_of(lr, scale)),
        "sr": album.put(f"{name}/{subject.key}/sr", sr),
        "hr": album.put(f"{prefix}/hr", hr),
    }
    shift = None
    if (model := makers.reference(subject)) is not None:
        float32 = made_by(model, lr)
        difference = grey_levels(sr) - grey_levels(float32)
        shift = round(float(difference.mean()), 4)
        chain = "-".join(str(each) for each in (subject.choice.word, subject.sampler, subject.steps) if each)
        images["float32"] = album.put(f"{prefix}/{chain}/float32", float32)
        images["difference"] = album.put(f"{name}/{subject.key}/difference", magnified(difference))
    album.panels.append(Panel(subject.key, name, images, shift))


def magnified(difference: np.ndarray) -> np.ndarray:
    """(H, W) grey levels of 255 -> uint8, GAIN times as much around 128."""
    levels: np.ndarray = np.clip(np.rint(128 + GAIN * difference), 0, 255).astype(np.uint8)
    return levels


def _middle(hr: np.ndarray) -> np.ndarray:
    top, left = (max(0, (side - SIDE) // 2) for side in hr.shape)
    return hr[top : top + SIDE, left : left + SIDE]


def to_show(pictures: Sequence[HrPicture], judged: Sequence[Quality]) -> list[HrPicture]:
    """The worst picture of each variant, as far as SHOWN goes, and otherwise the first ones."""
    by_name = {picture.name: picture for picture in pictures}
    worst = [quality.worst[0].picture for quality in judged if quality.worst]
    usable = [name for name in by_name if judged or name.startswith(PHANTOM)]
    names = list(dict.fromkeys((*worst, *usable)))
    return [by_name[name] for name in names[:SHOWN]]
