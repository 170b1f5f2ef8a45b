from __future__ import annotations

import numpy as np

from host_training.evaluation.panels import COLUMNS, GAP, LINE, ROWS, chosen, draw, panels_of


def test_the_worst_comes_first_and_the_best_last() -> None:
    assert chosen(np.array([3.0, -1.0, 9.0, 0.0, 5.0, 4.0, 2.0]), count=3) == [1, 0, 2]


def test_few_pictures_are_shown_once_each() -> None:
    assert chosen(np.array([2.0, 1.0])) == [1, 0]


def test_the_last_column_is_eight_times_the_error() -> None:
    lr, hr = np.zeros((1, 64, 64), np.uint8), np.full((1, 256, 256), 100, np.uint8)
    made = {key: hr.copy() for key in ROWS}
    made["model_1"][0, 0, :2] = (97, 200)  # below by 3, above by more than can be shown
    picture = draw(panels_of(["a"], lr, hr, made, np.array([0.5])))
    assert picture.shape == (LINE + 256 + LINE + LINE, len(COLUMNS) * (256 + GAP) - GAP)
    assert picture[LINE, -256:][:3].tolist() == [24, 255, 0]
