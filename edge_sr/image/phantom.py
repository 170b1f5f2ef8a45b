"""A synthetic chest radiograph that may be shipped: no patient stands behind it.

Simple solids are laid into a frontal view. Each gives a map of its thickness along the (parallel) rays; the rays are
attenuated exponentially, I = I0 exp(-sum mu t) (Beer-Lambert), counted with quantum noise, and shown as their logarithm
with dense tissue bright, as a radiograph is. Lengths are centimetres; x runs to the image's right, the patient's left,
from -20 to 20, and y down from 0 to 40.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_sr.errors import UsageError

Map = NDArray[np.float64]  # one number per pixel (or row, or column), most often a thickness in cm

FIELD_CM = 40.0
# 1/cm at 60 keV: Hubbell and Seltzer, NIST Standard Reference Database 126, times density (lung at 0.26 g/cm3).
MU_SOFT, MU_LUNG, MU_CORTICAL = 0.206, 0.053, 0.604
MU_CANCELLOUS = 0.30  # spongy bone, between marrow and cortical bone
PHOTONS_PER_CM2 = 6.0e6  # about one grey level of quantum noise in the lungs and three behind the spine, at 256
VESSEL_BUNDLE = 7.0  # mean chord over radius, pi/2 for one vessel; artery, vein and bronchus run side by side
FINEST_VESSEL_CM = 0.07  # no branches below; half a pixel of a 256 detector is 0.08
MARKER_DENSITY = 6.0  # attenuation of a lead letter, enough to show white over tissue and air alike
BLACK, WHITE = 0.95, 4.15  # attenuation shown as 0 and as full scale


@dataclass(frozen=True)
class Anatomy:
    """What differs between two phantoms; lengths in cm."""

    lean: float  # of the spine, at the bottom
    wall: float  # half the width of the rib cage
    heart: float  # long semi-axis
    ribs_y: float  # first posterior rib at the spine
    domes_y: tuple[float, float]  # tops of the right and left diaphragm


def chest_phantom(size: int = 256, *, seed: int = 0, bit_depth: int = 8) -> np.ndarray:
    """(size, size) uint8 or uint16, the same for the same arguments; seed varies anatomy, vessels and noise."""
    if size < 32 or bit_depth not in (8, 16):
        raise UsageError(f"a phantom of {size} pixels, {bit_depth} bits", expected="32 pixels or more, 8 or 16 bits")
    rng = np.random.Generator(np.random.PCG64(seed))
    anatomy = _anatomy(rng)
    attenuation = _attenuation(anatomy, rng, size)
    # The detector's spread of about half a pixel, before counting: what falls between pixels is not noise.
    reaching = cv2.GaussianBlur(np.exp(-attenuation), (0, 0), 0.55)
    photons = PHOTONS_PER_CM2 * (FIELD_CM / size) ** 2
    counted = np.maximum(rng.poisson(reaching * photons), 1) / photons
    shown = _shown(-np.log(counted), size)
    full = (1 << bit_depth) - 1
    return np.rint(shown * full).astype(np.uint8 if bit_depth == 8 else np.uint16)


def _anatomy(rng: np.random.Generator) -> Anatomy:
    vary = rng.uniform(-1.0, 1.0, 6)
    return Anatomy(
        lean=0.5 * vary[0],
        wall=14.3 + 0.6 * vary[1],
        heart=7.2 + 0.6 * vary[2],
        ribs_y=5.6 + 0.5 * vary[3],
        domes_y=(26.3 + 1.0 * vary[4], 27.6 + 0.8 * vary[5]),
    )


def _attenuation(anatomy: Anatomy, rng: np.random.Generator, size: int) -> Map:
    """Sum of mu times thickness along each ray: (size, size) float64."""
    centres = (np.arange(size) + 0.5) * FIELD_CM / size
    y, x = np.meshgrid(centres, centres - FIELD_CM / 2, indexing="ij", sparse=True)
    x = x - anatomy.lean * (y / FIELD_CM) ** 2  # everything leans with the spine
    lung = _lung(x, y, anatomy)
    heart = _heart(x, y, anatomy)
    air = np.clip(lung - heart, 0.0, None)
    vessels = np.minimum(_vessels(rng, size), air)
    spongy, cortical = _ribs(x, y, anatomy)
    spine = _spine(x, y)
    collar = _collar_and_shoulder(x, y)
    return (
        MU_SOFT * _torso(x, y)
        - (MU_SOFT - MU_LUNG) * (air - vessels)
        - MU_SOFT * (_airways(x, y) + _stomach_bubble(x, y, anatomy))
        + (MU_CANCELLOUS - MU_SOFT) * (spongy + spine + collar)
        + (MU_CORTICAL - MU_SOFT) * (cortical + 0.06 * spine + 0.10 * collar)
        + MARKER_DENSITY * _marker(size)
    ).clip(0.0)


def _chord(squared: Map) -> Map:
    """Length of a ray through a ball of radius 1 at a distance from its centre given squared."""
    return 2.0 * np.sqrt(np.clip(1.0 - squared, 0.0, None))


def _smooth(t: Map) -> Map:
    t = np.clip(t, 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _torso(x: Map, y: Map) -> Map:
    """Neck, shoulders and trunk: a stack of flattened ellipses."""
    shoulders = 15.5 * _smooth((y - 1.0) / 7.0) - 3.6 * _smooth((y - 9.0) / 7.0)
    half_width = 6.0 + shoulders + 0.8 * _smooth((y - 26.0) / 14.0)
    half_depth = 5.5 + 4.0 * _smooth(y / 12.0) + 0.8 * _smooth((y - 24.0) / 10.0)
    return half_depth * _chord(np.abs(x / half_width) ** 2.6)


def _wall(y: Map, anatomy: Anatomy) -> Map:
    """Half the width of the rib cage at y."""
    return anatomy.wall * np.sqrt(np.clip(1.0 - ((30.0 - y) / 26.2) ** 2, 1e-6, None))


def _lung(x: Map, y: Map, anatomy: Anatomy) -> Map:
    side, wall = np.abs(x), _wall(y, anatomy)
    medial = 1.3 + 0.9 * _smooth((y - 6.0) / 8.0)
    across = (2.0 * side - wall - medial) / np.clip(wall - medial, 0.5, None)  # -1 at the mediastinum, 1 at the wall
    depth = 7.4 * np.sqrt(np.clip(1.0 - ((25.0 - y) / 21.0) ** 2, 0.0, None))
    dome_y = np.where(x < 0, *anatomy.domes_y) + 5.2 * ((side - 6.0) / 8.4) ** 2
    behind_dome = 0.12 * _smooth((dome_y + 3.5 - y) / 3.5)
    above = 0.88 * _smooth((dome_y - y) / 1.1) + behind_dome
    return depth * 1.15 * _chord(across**2) ** 0.8 * above * (y > 3.8)


def _heart(x: Map, y: Map, anatomy: Anatomy) -> Map:
    """Heart, great vessels and aortic arch."""
    long, tilt = anatomy.heart, np.deg2rad(38.0)
    dx, dy = x - 2.4, y - 23.2
    u, v = dx * np.cos(tilt) + dy * np.sin(tilt), dy * np.cos(tilt) - dx * np.sin(tilt)
    heart = 4.9 * _chord((u / long) ** 2 + (v / 4.9) ** 2)
    arch = 2.0 * _chord(((x - 2.3) / 1.9) ** 2 + ((y - 12.6) / 1.9) ** 2)
    trunk = 3.0 * _chord(((x - 0.5) / 3.1) ** 2) * _smooth((y - 9.0) / 4.0) * _smooth((27.0 - y) / 4.0)
    return np.maximum(np.maximum(heart, arch), trunk)


def _airways(x: Map, y: Map) -> Map:
    """Windpipe and the two main bronchi."""
    windpipe = 0.85 * _chord(((x + 0.2) / 0.85) ** 2) * _smooth((15.0 - y) / 1.0)
    below = np.clip(y - 14.2, 0.0, None)
    bronchi = 0.6 * _chord(((np.abs(x + 0.2) - 0.25 - 0.95 * below) / 0.75) ** 2) * _smooth((y - 13.9) * 2.0)
    return np.maximum(windpipe, bronchi * _smooth((17.6 - y) / 1.0))


def _stomach_bubble(x: Map, y: Map, anatomy: Anatomy) -> Map:
    top = anatomy.domes_y[1] + 1.2
    level = _smooth((top + 3.6 - y) / 0.4)  # the fluid under it is level in an upright patient
    return 2.2 * _chord(((x - 6.2) / 2.7) ** 2 + ((y - top - 2.3) / 2.3) ** 2) * level


def _tube(distance: Map, radius: float, shell: float) -> tuple[Map, Map]:
    """Thickness of spongy core and of cortical shell of a bone at a distance from its axis."""
    core = (radius - shell) * _chord((distance / (radius - shell)) ** 2)
    return core, radius * _chord((distance / radius) ** 2) - core


def _ribs(x: Map, y: Map, anatomy: Anatomy) -> tuple[Map, Map]:
    """Ten pairs: behind, from the spine out and down; in front, from the wall inwards and further down."""
    spongy, cortical = np.zeros(x.shape), np.zeros(x.shape)
    cage = _smooth((_wall(y, anatomy) + 0.5 - np.abs(x)) / 0.7)
    side = np.abs(x[:1])  # the ribs' lines are functions of the column alone
    for pair in range(10):
        root_y = anatomy.ribs_y + 2.35 * pair
        turn_y = root_y + 1.2 + 0.42 * pair  # where the rib turns at the wall
        reach = float(_wall(np.asarray(min(turn_y + 0.8, 30.0)), anatomy)) + 0.5
        s = np.clip((side - 1.6) / (reach - 1.6), 0.0, 1.0)  # 0 at the spine, 1 at the wall
        behind_y = root_y - 1.5 * np.sin(np.pi * s**0.8) * (1.0 - 0.4 * s) + (turn_y - root_y) * s**2
        front_y = turn_y + (3.4 + 0.25 * pair) * (1.0 - s**2) ** 0.45
        along = (0.75 + 1.2 * s**6) * _smooth((reach - side) / 0.7)  # near the wall the ray runs along the bone
        in_front = along * _smooth((s - 0.42) * 6.0) * 0.55 * (pair < 7)  # then cartilage, which does not show
        for line_y, weight, radius in ((behind_y, along, 0.58), (front_y, in_front, 0.68)):
            slope = np.gradient(line_y, FIELD_CM / x.shape[1], axis=1)
            core, shell = _tube((y - line_y) / np.sqrt(1.0 + slope**2), radius, 0.13)
            spongy += core * weight
            cortical += shell * weight
    return spongy * cage, cortical * cage


def _spine(x: Map, y: Map) -> Map:
    """Vertebral bodies, broader towards their end plates, with discs between and the spinous processes on them."""
    phase = 2.0 * np.pi * y / (1.9 + 0.012 * y)
    half_width = 1.45 + 0.012 * y + 0.13 * np.cos(phase)
    body = 2.6 * _chord(np.abs(x / half_width) ** 3) / 2.0 * (0.62 + 0.38 * _smooth(0.9 - 0.9 * np.cos(phase)))
    pedicle = _chord(((np.abs(x) - 0.95) / 0.32) ** 2 + (np.sin(phase / 2.0 + 0.4) / 0.35) ** 2)
    process = _chord((x / 0.28) ** 2 + (np.cos(phase / 2.0) / 0.6) ** 2)
    return body + 0.7 * pedicle + 0.9 * process


def _collar_and_shoulder(x: Map, y: Map) -> Map:
    """Collar bones, shoulder blades and the heads of the upper arms."""
    side = np.abs(x)
    t = np.clip((side - 2.2) / 13.0, 0.0, 1.0)
    line_y = 9.3 - 3.4 * t - 0.9 * np.sin(2.0 * np.pi * t)
    ends = _smooth((side - 1.9) / 0.5) * _smooth((15.6 - side) / 0.5)
    core, shell = _tube((y - line_y) * 0.95, 0.62, 0.16)
    blade = 0.5 * _smooth((side - 12.3 - 0.12 * (y - 8.0)) / 0.35) * _smooth((y - 7.0) / 1.0)
    blade = blade * _smooth((19.5 - y - 0.9 * np.abs(side - 14.0)) / 0.6)
    arm = 2.2 * _chord(((side - 18.6) / 2.5) ** 2 + ((y - 8.6) / 2.5) ** 2)
    return (core + 3.0 * shell) * ends + blade + arm


def _vessels(rng: np.random.Generator, size: int) -> Map:
    """Arteries and veins fanning out from both hila: thickness in cm, (size, size)."""
    fine = 2 * size  # drawn twice as fine and averaged
    pixels_per_cm = fine / FIELD_CM
    canvas = np.zeros((fine, fine), np.float32)
    for radius, *ends in sorted(_vessel_tree(rng)):  # the thick over the thin
        width = 1.7 * radius * pixels_per_cm
        # Lines are whole pixels wide: a vessel finer than one gives up thickness instead.
        thickness = VESSEL_BUNDLE * radius * min(1.0, width)
        x0, y0, x1, y1 = (round(16.0 * pixels_per_cm * end) for end in ends)  # cv2 counts in 1/16 pixels: shift 4
        cv2.line(canvas, (x0, y0), (x1, y1), thickness, max(1, round(width)), cv2.LINE_8, 4)
    soft = cv2.GaussianBlur(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), (0, 0), 0.00125 * size)
    return soft.astype(np.float64)


def _vessel_tree(rng: np.random.Generator) -> list[tuple[float, float, float, float, float]]:
    """Segments as radius, x0, y0, x1, y1 in cm from the top left corner.

    Each vessel ends in two with r^3 = r1^3 + r2^3 (Murray, PNAS 12(3), 1926).
    """
    growing = [
        (
            side,
            FIELD_CM / 2 + 3.2 * side,
            17.2 + rng.uniform(-1.2, 1.2),
            math.radians(degrees) + rng.normal(0, 0.12),
            0.3,
        )
        for side in (-1.0, 1.0)
        for degrees in range(-74, 81, 22)
    ]
    segments = []
    while growing:
        side, x0, y0, heading, radius = growing.pop()
        length = max(0.8, 7.5 * radius) * rng.uniform(0.8, 1.3)
        x1, y1 = x0 + side * length * math.cos(heading), y0 + length * math.sin(heading)
        segments.append((radius, x0, y0, x1, y1))
        if radius > FINEST_VESSEL_CM:
            share, turn = rng.uniform(0.35, 0.65), rng.uniform(0.25, 0.6)
            for part, sign in ((share, 1.0), (1.0 - share, -1.0)):
                growing.append((side, x1, y1, heading + sign * turn * (1.2 - part), radius * part ** (1 / 3)))
    return segments


def _marker(size: int) -> Map:
    """A lead "L" in the top right corner, the patient's left: 0 to 1, (size, size)."""
    fine = 4 * size
    canvas = np.zeros((fine, fine), np.float32)
    unit = fine / FIELD_CM
    stem = [(36.0, 1.6), (36.0, 4.4), (37.7, 4.4)]
    corners = np.rint(np.array(stem) * unit).astype(np.int32)
    cv2.polylines(canvas, [corners], False, 1.0, max(1, round(0.5 * unit)), cv2.LINE_8)
    return cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA).astype(np.float64)


def _shown(attenuation: Map, size: int) -> Map:
    """Attenuation as brightness in [0, 1], less a part of its broad background, as digital systems show it."""
    background = cv2.GaussianBlur(attenuation, (0, 0), 5.0 * size / FIELD_CM, borderType=cv2.BORDER_REFLECT)
    flattened = attenuation - 0.35 * (background - 2.4)
    return np.clip((flattened - BLACK) / (WHITE - BLACK), 0.0, 1.0)
