"""edge_sr/demo/planes.py: pictures as the page reads them."""

from __future__ import annotations

import numpy as np

from edge_sr.demo.planes import answer
from tests.demo.pictures import parsed

parsed_types = {"input": np.uint8, "result": np.uint16, "spread": np.float32}


def test_planes_come_back_as_they_were() -> None:
    rng = np.random.default_rng(0)
    planes = {name: rng.integers(0, 255, (5, 3)).astype(kind) for name, kind in parsed_types.items()}
    header, read = parsed(b"".join(answer({"scale": 4}, planes)))
    assert header["scale"] == 4
    assert all(np.array_equal(read[name], planes[name]) and read[name].dtype == planes[name].dtype for name in planes)


def test_header_and_planes_begin_where_a_browser_can_read_them() -> None:
    for length in range(9):
        parts = list(answer({"x": "y" * length}, {"a": np.zeros((3, 3), np.uint16), "b": np.zeros((1, 1), np.float32)}))
        sizes = [len(part) for part in parts]
        assert sizes[0] % 8 == 0 and sum(sizes[1:3]) % 8 == 0 and sum(sizes[3:]) % 8 == 0
