from __future__ import annotations

import numpy as np

from host_training.evaluation.panels import COLUMNS, GAP, LINE, Panel, draw, spread_by_gain, worst_by_gain
from host_training.evaluation.pictures import Sample


def test_the_worst_comes_first_and_the_best_last() -> None:
    assert spread_by_gain(np.array([3.0, -1.0, 9.0, 0.0, 5.0, 4.0, 2.0]), count=3) == [1, 0, 2]


def test_few_pictures_are_shown_once_each() -> None:
    assert spread_by_gain(np.array([2.0, 1.0])) == [1, 0]
    assert worst_by_gain(np.array([2.0, 1.0])) == [1, 0]


def test_the_worst_are_those_of_least_gain() -> None:
    assert worst_by_gain(np.array([3.0, -1.0, 9.0, 0.0]), count=2) == [1, 3]


def test_the_last_column_is_eight_times_the_error() -> None:
    lr, hr = np.zeros((64, 64), np.uint8), np.full((256, 256), 100, np.uint8)
    model_1 = hr.copy()
    model_1[0, :2] = (97, 200)  # below by 3, above by more than can be shown
    picture = draw([Panel("a", Sample(lr, hr, lr), hr, model_1, hr)])
    assert picture.shape == (LINE + 256 + LINE + LINE, len(COLUMNS) * (256 + GAP) - GAP)
    assert picture[LINE, -256:][:3].tolist() == [24, 255, 0]
