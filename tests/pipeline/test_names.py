"""The package's own names, which are imported when they are asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from edge_sr import pipeline


def names_a_checker_sees() -> set[tuple[str, str]]:
    tree = ast.parse(Path(str(pipeline.__file__)).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    imports = (node for node in block.body if isinstance(node, ast.ImportFrom))
    return {(str(node.module).rpartition(".")[2], node.names[0].name) for node in imports}


def test_a_checker_sees_the_names_that_there_are() -> None:
    assert names_a_checker_sees() == {(home, name) for home, names in pipeline.HOMES.items() for name in names}


@pytest.mark.parametrize("name", [name for names in pipeline.HOMES.values() for name in names])
def test_each_name_is_there(name: str) -> None:
    assert getattr(pipeline, name) is not None and not isinstance(getattr(pipeline, name), type(pipeline))


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="nothing_of_it"):
        pipeline.nothing_of_it  # noqa: B018


def test_a_word_needs_no_package() -> None:
    code = "import sys; from edge_sr.pipeline import TEXT_KEY; sys.exit(bool({'numpy', 'cv2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
