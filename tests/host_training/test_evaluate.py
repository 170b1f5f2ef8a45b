"""The command from end to end: phantoms, a tiny bundle, and baselines of a few ONNX nodes."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import onnx
import pytest
from click.testing import CliRunner, Result

from edge_sr.artifacts.bundle import Bundle
from host_training.evaluate import evaluate_command, markdown_tables
from host_training.evaluation.measure import sharpening_gains
from host_training.evaluation.rows import TITLES
from tests.host_training.evaluation.toy_data import write_toy_data
from tests.tiny_bundle import HEADER, LATENTS, LR, SR

HR_ENCODER = f"""hr_encoder ({SR} hr) => ({LATENTS} latents) <float[1,4,1,1] shades = {{1, 0.5, 0.25, 0.125}}> {{
    small = AveragePool<kernel_shape=[8,8], strides=[8,8]>(hr)  latents = Mul(small, shades)
}}"""
REGRESSION = f"""regression ({LR} lr) => ({SR} sr) <float[4] fourfold = {{1,1,4,4}}> {{
    sr = Resize<mode="linear">(lr, , fourfold)
}}"""
LPIPS = """lpips (float[1,3,H,W] ref, float[1,3,H,W] dist) => (float[1,1,1,1] score) {
    difference = Sub(ref, dist)  size = Abs(difference)  score = ReduceMean(size)
}"""


def write_onnx(path: Path, graph: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(onnx.parser.parse_model(HEADER + graph), path)
    return path


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/ and baselines/."""
    folder = tmp_path_factory.mktemp("evaluate")
    (folder / "data").mkdir()
    write_toy_data(folder / "data", test=3, validation=2)
    write_onnx(folder / "baselines" / "regression.onnx", REGRESSION)
    write_onnx(folder / "baselines" / "hr_encoder.onnx", HR_ENCODER)
    return folder


def evaluate(toy: Path, bundle: Bundle, out: Path, *words: object) -> Result:
    fixed = [bundle.folder, "--data", toy / "data", "--out", out, "--threads", 1, "--seeds", 2]
    result = CliRunner().invoke(evaluate_command, [str(word) for word in (*fixed, *words)])
    assert result.exception is None, result.output
    return result


@pytest.fixture(scope="module")
def whole(toy: Path, tiny: Bundle) -> tuple[Path, Result]:
    """Two sets with every baseline and no LPIPS; the folder of the results, and what was printed."""
    out = toy / "out"
    words = ("--baselines", toy / "baselines", "--set", "nih-test", "--set", "nih-validation")
    return out, evaluate(toy, tiny, out, *words)


def test_every_row_is_measured_on_every_set(whole: tuple[Path, Result]) -> None:
    record = json.loads((whole[0] / "metrics.json").read_text())
    assert list(record["sets"]) == ["nih-test", "nih-validation"]
    assert [record["sets"]["nih-test"][name] for name in ("pictures", "patients")] == [3, 2]
    for of_set in record["sets"].values():
        assert [row["key"] for row in of_set["rows"] if "metrics" in row] == list(TITLES)


def test_the_tables_can_be_made_again_from_the_json(whole: tuple[Path, Result]) -> None:
    tables = markdown_tables(json.loads((whole[0] / "metrics.json").read_text()))
    assert (whole[0] / "tables.md").read_text() == tables
    assert whole[1].stdout == tables


def test_missing_lpips_does_not_block(whole: tuple[Path, Result]) -> None:
    record = json.loads((whole[0] / "metrics.json").read_text())
    assert record["conditions"]["lpips_sha256"] is None
    assert "lpips" not in record["sets"]["nih-test"]["rows"][0]["metrics"]


def test_conditions_name_the_bundle_and_the_data(whole: tuple[Path, Result], tiny: Bundle) -> None:
    conditions = json.loads((whole[0] / "metrics.json").read_text())["conditions"]
    assert conditions["bundle"]["sha256"] == tiny.sha256
    assert set(conditions["baselines_sha256"]) == {"regression.onnx", "hr_encoder.onnx"}
    assert conditions["steps"] == 1


def test_csv_and_panels_hold_every_picture(whole: tuple[Path, Result]) -> None:
    lines = (whole[0] / "per-image.csv").read_text().splitlines()
    assert len(lines) == 1 + (len(TITLES) + 1) * (3 + 2)
    panels = cv2.imread(str(whole[0] / "panels-nih-test.png"), cv2.IMREAD_GRAYSCALE)
    assert panels.shape[0] > 3 * 256


def test_a_limit_lpips_and_no_baselines(toy: Path, tiny: Bundle, tmp_path: Path) -> None:
    lpips = write_onnx(tmp_path / "lpips.onnx", LPIPS)
    result = evaluate(toy, tiny, tmp_path / "out", "--lpips", lpips, "--limit", 1, "--baselines", tmp_path, "--json")
    of_set = json.loads(result.stdout)["sets"]["nih-test"]
    rows = {row["key"]: row for row in of_set["rows"]}
    assert (of_set["pictures"], rows["regression"]["not_available"]) == (1, "no regression.onnx among the baselines")
    assert rows["bicubic"]["metrics"]["lpips"]["mean"] > 0


def test_sharpening_is_fitted_on_the_validation_split_alone(toy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from edge_sr.backends.onnxrt import OnnxRuntime
    from host_training.evaluation import pictures

    seen: list[str] = []
    read = pictures.hr_of
    monkeypatch.setattr(pictures, "hr_of", lambda path: seen.append(path.name) or read(path))
    with OnnxRuntime(threads=1).open(toy / "baselines" / "regression.onnx") as regression:
        gains = sharpening_gains(regression, toy / "data")
    assert seen == ["validation-0.png", "validation-1.png"]
    assert gains is not None
    assert gains[0] == pytest.approx(1, abs=0.01)
    assert gains[60:100].mean() > 1.5  # the blurred picture lacks what lies there
