"""`edge-sr run --model A,B,C`: who stands in for whom, and what the output says of it."""

from __future__ import annotations

import json
from pathlib import Path

from edge_sr.artifacts.bundle import Bundle
from tests.conftest import RunCli


def provenance(path: Path) -> dict[str, object]:
    return dict(json.loads(path.read_text()))


def test_the_output_names_the_models_before_it(cli: RunCli, tmp_path: Path, tiny: Bundle, generator: Bundle) -> None:
    cli("sample", "lr.png")
    done = cli("run", "lr.png", "--model", f"{tiny.folder},{generator.folder},bicubic", "--precision", "int8")
    assert done.exit_code == 0 and "is not used" in done.stderr
    record = provenance(tmp_path / "lr_x4.json")
    assert record["model"] == "bicubic"
    assert [str(line).partition(":")[0] for line in record["instead_of"]] == ["tiny", "generator"]  # type: ignore[attr-defined]


def test_the_first_choice_stands_in_for_nobody(cli: RunCli, tmp_path: Path, generator: Bundle) -> None:
    cli("sample", "lr.png")
    assert cli("run", "lr.png", "--model", f"{generator.folder},bicubic").exit_code == 0
    assert provenance(tmp_path / "lr_x4.json")["instead_of"] is None


def test_steps_are_of_one_model(cli: RunCli, tiny: Bundle) -> None:
    cli("sample", "lr.png")
    done = cli("run", "lr.png", "--model", f"{tiny.folder},bicubic", "--steps", 2)
    assert done.exit_code == 2 and "are of one model" in done.stderr
