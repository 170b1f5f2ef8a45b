"""Augmentation of HR pictures. LR is made from the result, so a pair obeys its degradation whatever happens here.

An augmentation takes (S, S) uint8, S >= 256, a generator and a size, and gives (size, size) uint8, size <= 256. It
draws from that generator alone. Those of ``OF_ANY_SHAPE`` take any picture that is large enough, in colour too.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from edge_sr.errors import UsageError
from host_training.data.protocol import HR_SIDE

Augmentation = Callable[[np.ndarray, np.random.Generator, int], np.ndarray]

# edge
PROTOCOL_SHARE = 0.6  # of the crops come from the 256x256 picture of the protocol, the others from a finer one
ROTATED_SHARE, LARGEST_ANGLE = 0.25, 3.0  # degrees

# paper: the published system's final report
AUGMENTED_SHARE = 0.7  # of the samples; the others are the plain picture
FLIPPED_SHARE = 0.5  # of the augmented ones, as all below
CROPPED_SIDE = 0.8  # of the picture's
CUTOUT_SHARE, CUTOUT_SIDE = 0.3, 0.2  # of the samples; of the picture's side

# proposal: the published system's first plan, which names no range for the brightness
PROPOSAL_ANGLE = 15.0  # degrees
PROPOSAL_BRIGHTNESS = 0.1  # of the grey value

# turns: the published ESPCN's, of natural pictures
FLIPPED_ALONG, TURNED_SHARE = 0.5, 0.5  # of the patches: along each axis; by 90, 180 or 270 degrees


def edge(picture: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """What the edge model trains on: (S, S) uint8, S >= 256 -> (size, size) uint8.

    A small rotation, a scale between 256 and S pixels a picture, a place, a little gain and shift of the grey values.
    No flips: a mirrored heart is another patient.
    """
    if rng.random() < ROTATED_SHARE:
        picture = rotated(picture, rng.uniform(-LARGEST_ANGLE, LARGEST_ANGLE))
    picture = at_side(picture, drawn_side(rng, len(picture)))
    top, left = rng.integers(0, len(picture) - size + 1, 2)
    gain, shift = rng.uniform(0.9, 1.1), rng.uniform(-12, 12)
    crop = picture[top : top + size, left : left + size].astype(np.float32)
    return to_grey((crop - 128) * gain + 128 + shift)


def paper(picture: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """What the published system trained on: the whole picture, (S, S) uint8 -> (size, size) uint8.

    On 70 % of the samples: a flip, a rotation by 90, 180 or 270 degrees, a square of 80 % of the side anywhere in the
    picture, resized, and a black square. Where the stored picture is finer than ``size`` the crop shows its detail.
    """
    if rng.random() >= AUGMENTED_SHARE:
        return at_side(picture, size)
    picture = flipped(picture, rng)
    picture = np.rot90(picture, int(rng.integers(1, 4)))
    picture = at_side(square_of(picture, CROPPED_SIDE, rng), size)
    if rng.random() < CUTOUT_SHARE:
        picture = picture.copy()  # at_side may have given the stored picture itself
        square_of(picture, CUTOUT_SIDE, rng)[:] = 0
    return picture


def proposal(picture: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """What the published system was first planned with: the whole picture, (S, S) uint8 -> (size, size) uint8.

    A flip, a rotation by up to 15 degrees, a brightness.
    """
    picture = rotated(flipped(picture, rng), rng.uniform(-PROPOSAL_ANGLE, PROPOSAL_ANGLE))
    brightness = 1 + rng.uniform(-PROPOSAL_BRIGHTNESS, PROPOSAL_BRIGHTNESS)
    return to_grey(at_side(picture, size).astype(np.float32) * brightness)


def turns(picture: np.ndarray, rng: np.random.Generator, size: int) -> np.ndarray:
    """A patch of any picture as it is stored: (H, W[, C]) uint8, sides of at least ``size`` -> (size, size[, C]).

    Flipped along each axis and turned by a right angle or two, each on half of the patches. For pictures that have no
    right side: a radiograph has one.
    """
    height, width = picture.shape[:2]
    top, left = rng.integers(0, [height - size + 1, width - size + 1])
    patch = picture[top : top + size, left : left + size]
    for axis in (0, 1):
        if rng.random() < FLIPPED_ALONG:
            patch = np.flip(patch, axis)
    return np.rot90(patch, int(rng.integers(1, 4))) if rng.random() < TURNED_SHARE else patch


AUGMENTATIONS: dict[str, Augmentation] = {"edge": edge, "paper": paper, "proposal": proposal, "turns": turns}
OF_ANY_SHAPE = ("turns",)


def augmentation(name: str) -> Augmentation:
    """The augmentation of that name. UsageError where there is none."""
    if name not in AUGMENTATIONS:
        raise UsageError(f"no such augmentation: {name}", expected=", ".join(AUGMENTATIONS))
    return AUGMENTATIONS[name]


def drawn_side(rng: np.random.Generator, stored: int) -> int:
    """The width a picture is shown at: the protocol's, or any from there to the stored one.

    A user's radiograph is 1000 to 3000 pixels wide and comes in tiles: what fills a tile is then a rib, not a chest.
    """
    return HR_SIDE if rng.random() < PROTOCOL_SHARE else int(rng.integers(HR_SIDE, stored + 1))


def at_side(picture: np.ndarray, side: int) -> np.ndarray:
    """(S, S) -> (side, side) uint8, by area averaging where that is smaller and by cubic interpolation where larger."""
    if side == len(picture):
        return picture
    interpolation = cv2.INTER_AREA if side < len(picture) else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (side, side), interpolation=interpolation))


def square_of(picture: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A view of a square anywhere in the picture, with this share of its side."""
    side = round(share * len(picture))
    top, left = rng.integers(0, len(picture) - side + 1, 2)
    return picture[top : top + side, left : left + side]


def flipped(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Left and right exchanged, in half of the samples."""
    return picture[:, ::-1] if rng.random() < FLIPPED_SHARE else picture


def rotated(picture: np.ndarray, angle: float) -> np.ndarray:
    """About the centre, degrees; what comes in at the corners is mirrored."""
    centre = (len(picture) - 1) / 2
    turn = cv2.getRotationMatrix2D((centre, centre), angle, 1.0)
    size = (len(picture), len(picture))
    return np.asarray(cv2.warpAffine(picture, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))


def to_grey(values: np.ndarray) -> np.ndarray:
    """Grey values -> uint8, rounded and clipped."""
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
