from __future__ import annotations

import numpy as np

from edge_sr.pipeline import LARGEST_KEPT, Workspace, upscale
from tests.pipeline.pictures import NoisyBicubic, radiograph


def test_a_workspace_is_used_again_and_no_result_lies_in_it() -> None:
    sources, workspace = [radiograph(size, size) for size in (64, 64, 100, 50)], Workspace()
    results = [upscale(each, NoisyBicubic(), seed=2, fidelity=0.0, workspace=workspace) for each in sources]
    assert workspace.array((1, 1, 256, 256)) is workspace.array((1, 1, 256, 256))
    workspace.array((1, 1, 256, 256))[:] = 9
    for source, result in zip(sources, results, strict=True):
        np.testing.assert_array_equal(result.pixels, upscale(source, NoisyBicubic(), seed=2, fidelity=0.0).pixels)


def test_a_workspace_lets_go_of_a_large_picture() -> None:
    workspace = Workspace()
    large = workspace.array((LARGEST_KEPT + 1,))
    assert workspace.array(large.shape) is not large
