"""The command from end to end: phantoms, a tiny bundle, and baselines of a few ONNX nodes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest
from click.testing import CliRunner, Result

from edge_sr.artifacts.bundle import Bundle, write_bundle
from edge_sr.errors import UsageError
from host_training.evaluate import default_sets, evaluate_command
from host_training.evaluation import measure, pictures, timing
from host_training.evaluation.fitting import sharpening_gains
from host_training.evaluation.measure import evaluate, sides_of
from host_training.evaluation.pictures import read_set
from host_training.evaluation.request import request
from host_training.evaluation.rows import OF_DIFFUSION, OF_EVERY_SET
from host_training.evaluation.tables import markdown_tables
from host_training.prepare.command import prepare
from tests.host_training.evaluation.toy_data import HR_ENCODER, LPIPS, REGRESSION, write_onnx, write_toy_data
from tests.tiny_bundle import write_networks

ROWS = [*OF_EVERY_SET, *(f"tiny/{key}" for key in OF_DIFFUSION)]


@pytest.fixture(autouse=True, scope="module")
def few_timed_calls() -> Iterator[None]:
    """Nobody reads the times here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "CALLS", 1)
        patch.setattr(timing, "FEWEST_CALLS", 1)
        yield


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/ and baselines/."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "data").mkdir()
    write_toy_data(folder / "data", test=3, validation=2, side=264)
    write_onnx(folder / "baselines" / "regression.onnx", REGRESSION)
    write_onnx(folder / "baselines" / "hr_encoder.onnx", HR_ENCODER)
    return folder


def call(toy: Path, out: Path, *words: object) -> Result:
    fixed = ["--data", toy / "data", "--baselines", toy / "baselines", "--out", out, "--threads", 1, "--seeds", 2]
    return CliRunner().invoke(evaluate_command, [str(word) for word in (*fixed, *words)])


def done(toy: Path, out: Path, *words: object) -> Result:
    result = call(toy, out, *words)
    assert result.exception is None, result.output
    return result


@pytest.fixture(scope="module")
def whole(toy: Path, tiny: Bundle) -> tuple[Path, Result]:
    """Two sets at two scales with every baseline and no LPIPS; the folder of the results, and what was printed."""
    out = toy / "out"
    words = ("--set", "nih-test", "--set", "nih-validation", "--scale", 256, "--scale", 264, "--no-figures")
    return out, done(toy, out, tiny.folder, *words)


@pytest.fixture(scope="module")
def record(whole: tuple[Path, Result]) -> dict[str, Any]:
    return dict(json.loads((whole[0] / "metrics.json").read_text()))


def test_every_row_is_measured_on_every_set_at_every_scale(record: dict[str, Any]) -> None:
    assert list(record["sets"]) == ["nih-test", "nih-validation"]
    assert [record["sets"]["nih-test"][name] for name in ("pictures", "patients")] == [3, 2]
    for of_set in record["sets"].values():
        assert list(of_set["scales"]) == ["256", "264"]
        for scale in of_set["scales"].values():
            assert [row["key"] for row in scale["rows"] if "metrics" in row] == ROWS
            assert list(scale["spectrum"]["rows"]) == ROWS
        assert [entry["row"] for entry in of_set["across_scales"]] == ROWS[1:]


def test_rows_that_give_a_picture_have_a_time(record: dict[str, Any]) -> None:
    rows = {row["key"]: row for row in record["sets"]["nih-test"]["scales"]["264"]["rows"]}
    assert rows["tiny/model_1"]["time_ms"]["calls"] > 0
    assert "time_ms" not in rows["tiny/zeroed"]


def test_seeds_are_judged_at_256_alone(record: dict[str, Any]) -> None:
    scales = record["sets"]["nih-test"]["scales"]
    assert scales["256"]["spread"]["tiny"]["count"] == 2
    assert scales["264"]["spread"] == {}


def test_the_tables_can_be_made_again_from_the_json(whole: tuple[Path, Result], record: dict[str, Any]) -> None:
    tables = markdown_tables(record)
    assert (whole[0] / "tables.md").read_text() == tables
    assert whole[1].stdout == tables


def test_missing_lpips_does_not_block(record: dict[str, Any]) -> None:
    assert record["conditions"]["lpips_sha256"] is None
    assert "lpips" not in record["sets"]["nih-test"]["scales"]["256"]["rows"][0]["metrics"]


def test_conditions_name_the_bundle_and_the_data(record: dict[str, Any], tiny: Bundle) -> None:
    assert record["bundles"]["tiny"]["sha256"] == tiny.sha256
    assert record["bundles"]["tiny"]["steps"] == 1
    assert set(record["conditions"]["baselines_sha256"]) == {"regression.onnx", "tiny/hr_encoder.onnx"}


def test_csv_and_panels_hold_every_picture(whole: tuple[Path, Result]) -> None:
    lines = (whole[0] / "per-image.csv").read_text().splitlines()
    assert len(lines) == 1 + (2 * len(ROWS) + 1) * (3 + 2)
    for name in ("panels", "worst"):
        panels = cv2.imread(str(whole[0] / f"{name}-nih-test-tiny.png"), cv2.IMREAD_GRAYSCALE)
        assert panels.shape[0] > 3 * 256


def test_bundles_stand_side_by_side(toy: Path, tiny: Bundle, tmp_path: Path) -> None:
    lpips = write_onnx(tmp_path / "lpips.onnx", LPIPS)
    words = (tiny.folder, f"{tiny.folder}@ddim:2", "--lpips", lpips, "--limit", 1, "--json", "--no-figures")
    told = json.loads(done(toy, tmp_path / "out", *words).stdout)
    assert [bundle["steps"] for bundle in told["bundles"].values()] == [1, 2]
    scale = told["sets"]["nih-test"]["scales"]["256"]
    rows = {row["key"]: row for row in scale["rows"]}
    assert rows["tiny-ddim-2/autoencoder"]["metrics"]["lpips"]["mean"] > 0  # the decoder is the first bundle's
    assert {"row": "tiny-ddim-2/model_0", "minus": "tiny/model_0"}.items() <= scale["differences"][-1].items()
    assert (tmp_path / "out" / "worst-nih-test-tiny-ddim-2.png").is_file()


def test_a_store_is_measured_as_it_was_prepared(toy: Path, tiny: Bundle, tmp_path: Path) -> None:
    """Two stores and a bundle for each; one command draws the figures too."""
    manifest = replace(tiny.manifest, name="tiny-cubic", input=replace(tiny.manifest.input, degradation="cubic"))
    write_networks(tmp_path / "staging")
    cubic = write_bundle(tmp_path / "cubic", staging=tmp_path / "staging", manifest=manifest)
    stores = {degradation: prepared(toy, tmp_path, degradation) for degradation in ("area", "cubic")}
    words = (tiny.folder, cubic.folder, "--set", stores["area"], "--set", stores["cubic"], "--limit", 1)
    done(toy, tmp_path / "out", *words, "--seeds", 0)
    sets = json.loads((tmp_path / "out" / "metrics.json").read_text())["sets"]
    assert [of_set["degradation"] for of_set in sets.values()] == ["area", "cubic"]
    rows = [
        {row["key"]: row.get("not_available") for row in of_set["scales"]["256"]["rows"]} for of_set in sets.values()
    ]
    assert [of_set["tiny/model_1"] is None for of_set in rows] == [True, False]
    assert [of_set["tiny-cubic/model_1"] is None for of_set in rows] == [False, True]
    assert "no validation pictures" in rows[0]["regression_sharpened"]
    assert (tmp_path / "out" / "index.html").is_file()


def prepared(toy: Path, folder: Path, degradation: str) -> Path:
    """A store of the toy pictures, all of them in its test split."""
    words = [toy / "data" / "nih", "-o", folder / f"store-{degradation}", "--degradation", degradation]
    words += ["--side", 256, "--patient-pattern", r"(\w+-\d)", "--split", "0/0/100", "--jobs", 1]
    result = CliRunner().invoke(prepare, [str(word) for word in words])
    assert result.exception is None, result.output
    return folder / f"store-{degradation}"


def test_a_prepared_data_folder_is_its_own_set(toy: Path, tmp_path: Path) -> None:
    assert list(default_sets(toy / "data")) == ["nih-test"]
    store = prepared(toy, tmp_path, "area")
    assert list(default_sets(store)) == [str(store)]
    assert read_set(store, str(store)).name == "store-area"
    with pytest.raises(UsageError, match="leave out --set"):
        read_set(store, "nih-test")


def test_two_stores_of_one_name_are_told_apart(toy: Path, tmp_path: Path) -> None:
    stores = [prepared(toy, tmp_path / parent, "area") for parent in "ab"]
    sets = [read_set(None, str(store)) for store in stores]
    assert [pictures.name for pictures in measure.named_apart(sets)] == ["store-area", "store-area-2"]


def test_a_bundle_needs_pictures_of_its_degradation(toy: Path, tiny: Bundle, tmp_path: Path) -> None:
    store = prepared(toy, tmp_path, "cubic")
    result = call(toy, tmp_path / "out", tiny.folder, "--set", store)
    assert "was trained for degradation area" in str(result.exception)


def test_without_a_scale_only_the_first_bundle_is_measured_in_tiles(
    toy: Path, tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "SCALES", (256, 264))
    both = [str(tiny.folder), f"{tiny.folder}@ddim:2"]
    wanted = request(both, data_dir=toy / "data", sets=["nih-test"], limit=1, seeds=0, baselines=tmp_path)
    scales = evaluate(wanted).record["sets"]["nih-test"]["scales"]
    of_bundles = {side: {row["key"].split("/")[0] for row in scale["rows"]} for side, scale in scales.items()}
    assert of_bundles["264"] == of_bundles["256"] - {"tiny-ddim-2"}
    assert scales["256"]["spread"] == {}


def test_a_scale_beyond_the_stored_pictures_is_left_out_unless_asked_for(toy: Path) -> None:
    pictures = read_set(toy / "data", "nih-test")
    assert sides_of(pictures, None) == [256]
    assert sides_of(pictures, (264,)) == [256, 264]
    with pytest.raises(UsageError, match="ends at 264"):
        sides_of(pictures, (512,))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--seeds", "1"], "one seed"),
        (["--scale", "258"], "multiples of 4"),
        (["--scale", "512"], "no HR of 512"),
        (["--set", "elsewhere"], "no such set"),
        (["--hr-encoder", "huge"], "BUNDLE=FILE"),
        (["--hr-encoder", "huge=none.onnx"], "no such file"),
    ],
)
def test_what_cannot_be_measured_is_told_at_once(
    toy: Path, tiny: Bundle, tmp_path: Path, words: list[str], reason: str
) -> None:
    result = call(toy, tmp_path / "out", tiny.folder, *words)
    assert reason in str(result.exception)
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_the_default_baselines_hold_the_default_bundles_encoder_alone(tiny: Bundle) -> None:
    given = request(["default", str(tiny.folder), "default@ddim:2"], data_dir=None, sets=[]).given
    assert [candidate.hr_encoder is not None for candidate in given] == [True, False, True]


def test_an_hr_encoder_belongs_to_a_bundle_that_is_measured(toy: Path, tiny: Bundle, tmp_path: Path) -> None:
    encoder = toy / "baselines" / "hr_encoder.onnx"
    result = call(toy, tmp_path, tiny.folder, "--hr-encoder", f"other={encoder}")
    assert "no bundle is called other" in str(result.exception)


def test_sharpening_is_fitted_on_the_validation_split_alone(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    read = pictures.grey_of
    monkeypatch.setattr(pictures, "grey_of", lambda path: seen.append(path.name) or read(path))
    wanted = request((), data_dir=toy / "data", sets=["nih-test"], baselines=toy / "baselines", threads=1)
    gains = sharpening_gains(wanted, "nih-test", 256)
    assert set(seen) == {"validation-0.png", "validation-1.png"}
    assert gains is not None
    assert gains[0] == pytest.approx(1, abs=0.01)
    assert gains[60:100].mean() > 1.5  # the blurred picture lacks what lies there
