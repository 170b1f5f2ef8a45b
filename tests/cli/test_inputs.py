from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_sr.cli.inputs import plan_run
from edge_sr.errors import UsageError
from edge_sr.image.png import write_png


@pytest.fixture
def scans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("scans/a.png", "scans/deep/b.tif", "scans/deep/notes.txt", "scans/.hidden/c.png", "scans/.d.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    return Path("scans")


def targets(*inputs: str, out: str | None = None) -> list[str]:
    return [job.target.as_posix() for job in plan_run(inputs, Path(out) if out else None).jobs]


def test_a_file_s_result_stands_beside_it(scans: Path) -> None:
    assert targets("scans/a.png") == ["scans/a_x4.png"]


def test_a_file_s_result_goes_into_the_folder_or_takes_the_name(scans: Path) -> None:
    assert targets("scans/a.png", out="sharp") == ["sharp/a_x4.png"]
    assert targets("scans/a.png", out="sharp/mine.png") == ["sharp/mine.png"]


def test_a_folder_is_mirrored_beside_itself(scans: Path) -> None:
    assert targets("scans") == ["scans_x4/a_x4.png", "scans_x4/deep/b_x4.png"]


def test_the_working_folder_has_a_name_too(scans: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scans)
    assert [Path(target).parent.name for target in targets(".")] == ["scans_x4", "deep"]


def test_a_pattern_is_mirrored_from_its_first_wildcard(scans: Path) -> None:
    assert targets("scans/*/*.tif", out="sharp") == ["sharp/deep/b_x4.png"]
    assert targets("scans/**/*.tif") == ["scans/deep/b_x4.png"]


def test_an_input_named_twice_is_taken_once(scans: Path) -> None:
    assert targets("scans", "scans/*.png", "scans/a.png", out="sharp") == ["sharp/a_x4.png", "sharp/deep/b_x4.png"]


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(scans: Path) -> None:
    (scans / "[a].png").write_text("")
    assert targets("scans/[a].png") == ["scans/[a]_x4.png"]


def test_the_comparison_stands_beside_the_result_or_takes_the_name(scans: Path) -> None:
    assert plan_run(["scans/a.png"], compare=True).jobs[0].compare == Path("scans/a_x4_compare.png")
    assert plan_run(["scans/a.png"], compare_as=Path("out/c.png")).jobs[0].compare == Path("out/c.png")


def test_two_inputs_with_one_output_are_named(scans: Path) -> None:
    (scans / "a.jpg").write_text("")
    with pytest.raises(UsageError, match=r"a_x4\.png: is the output of both scans/a\.jpg and scans/a\.png"):
        plan_run(["scans"])


def test_an_output_that_is_an_input_is_refused(scans: Path) -> None:
    (scans / "a_x4.png").write_text("")
    with pytest.raises(UsageError, match=r"a_x4\.png: is an input and also an output of scans/a\.png"):
        plan_run(["scans/a.png", "scans/a_x4.png"], overwrite=True)


@pytest.mark.parametrize("inputs", [["scans"], ["scans/a.png", "scans/deep/b.tif"]])
@pytest.mark.parametrize("option", ["out", "compare_as"])
def test_one_name_for_several_inputs_is_refused(scans: Path, inputs: list[str], option: str) -> None:
    with pytest.raises(UsageError, match="names one file for several inputs"):
        plan_run(inputs, **{option: Path("one.png")})


def test_outputs_must_be_png(scans: Path) -> None:
    with pytest.raises(UsageError, match="is no PNG name"):
        plan_run(["scans/a.png"], compare_as=Path("compare.jpg"))
    with pytest.raises(UsageError, match=r"notes\.txt: is a file"):
        plan_run(["scans/a.png"], Path("scans/deep/notes.txt"))


def test_an_existing_output_sets_its_input_aside(scans: Path) -> None:
    (scans / "a_x4.json").write_text("")
    plan = plan_run(["scans/a.png", "scans/deep/b.tif"])
    assert [job.source.name for job in plan.jobs] == ["b.tif"]
    assert [(path.name, error.hint) for path, error in plan.faults] == [("a.png", "--overwrite")]
    assert len(plan_run(["scans/a.png"], overwrite=True).jobs) == 1


def test_our_own_outputs_in_a_folder_are_skipped(scans: Path) -> None:
    write_png(scans / "old_x4.png", np.zeros((8, 8), np.uint8), text={"edge-sr": "{}"})
    write_png(scans / "theirs_x4.png", np.zeros((8, 8), np.uint8), text={})
    plan = plan_run(["scans"])
    assert [path.name for path, _ in plan.skipped] == ["old_x4.png"]
    assert "theirs_x4.png" in [job.source.name for job in plan.jobs]


def test_nothing_found_is_a_fault(scans: Path) -> None:
    (scans / "empty").mkdir()
    plan = plan_run(["scans/empty", "scans/*.jpg"])
    assert [error.what for _, error in plan.faults] == ["no PNG, TIFF or JPEG in the folder", "no file matches"]


def test_a_link_to_a_folder_is_told_and_not_followed(scans: Path) -> None:
    (scans / "loop").symlink_to(scans.resolve())
    plan = plan_run(["scans"])
    assert len(plan.jobs) == 2
    assert [(path.name, why) for path, why in plan.skipped] == [("loop", "a link to a folder")]


def test_an_empty_name_is_refused(scans: Path) -> None:
    with pytest.raises(UsageError, match="empty name"):
        plan_run([""])


def test_impossible_names_are_faults(scans: Path) -> None:
    (scans / f"{'n' * 250}.png").write_text("")
    plan = plan_run(["x" * 300, "scans"])
    assert [error.what for _, error in plan.faults] == [
        "cannot be read (File name too long)",
        "its output would have too long a name",
    ]
    assert len(plan.jobs) == 2
