from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge_sr.artifacts.bundle import Bundle
from edge_sr.backends import onnxrt_providers
from edge_sr.cli import run as run_module
from edge_sr.cli import run_report
from edge_sr.cli.model_options import PRECISIONS, PROVIDERS, SAMPLERS
from edge_sr.diffusion import samplers
from edge_sr.image.consistency import lr_rmse
from edge_sr.image.png import read_text, write_png
from edge_sr.models import engines
from edge_sr.pipeline import SRResult
from tests.conftest import RunCli


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def test_one_file_through_onnx_runtime(cli: RunCli, chest: Path, tiny: Bundle, tmp_path: Path) -> None:
    result = cli("run", chest, "-o", "out", "--model", tiny.folder, "--threads", 1)
    assert result.exit_code == 0, result.output
    assert "out/chest_x4.png  256x256" in result.stdout
    for line in ("open", "decode", "queue", "compute", "encode", "total", "LR consistency", "Not for diagnostic use"):
        assert line in result.stdout
    assert sorted(path.name for path in Path("out").iterdir()) == ["chest_x4.json", "chest_x4.png"]
    assert lr_rmse(pixels(tmp_path / "out/chest_x4.png"), pixels(chest)) < 0.3


def test_the_record_names_model_and_choices(cli: RunCli, chest: Path, tiny: Bundle) -> None:
    cli("run", chest, "--model", tiny.folder, "--sampler", "ddpm", "--steps", 3, "--seed", 9, "--fidelity", 0.5)
    provenance = json.loads(read_text(chest.with_name("chest_x4.png"))["edge-sr"])
    chosen = {"sampler": "ddpm", "steps": 3, "seed": 9, "fidelity": 0.5, "model_sha256": tiny.sha256, "scale": 4}
    assert provenance.items() >= chosen.items()


def test_seeds_change_the_picture_below_full_fidelity(cli: RunCli, chest: Path, tiny: Bundle) -> None:
    for seed in (1, 2):
        cli("run", chest, "-o", f"{seed}.png", "--model", tiny.folder, "--seed", seed, "--fidelity", 0)
    assert not np.array_equal(pixels(Path("1.png")), pixels(Path("2.png")))


def test_sixteen_bits_stay_sixteen(cli: RunCli, tiny: Bundle) -> None:
    deep = np.random.default_rng(0).integers(10_000, 50_000, (40, 90), np.uint16)
    write_png(Path("deep.png"), deep, text={})
    assert cli("run", "deep.png", "--model", tiny.folder).exit_code == 0
    result = pixels(Path("deep_x4.png"))
    assert result.shape == (160, 360)
    assert lr_rmse(result.astype(np.uint16), deep) < 0.1
    assert (result % 257 != 0).any()  # not eight bits spread out


def test_a_bad_file_does_not_stop_the_rest(cli: RunCli, chest: Path) -> None:
    Path("bad.png").write_text("hello")
    result = cli("run", "bad.png", chest, "missing.png", "-o", "out", "--model", "bicubic")
    assert result.exit_code == 1
    assert "1 done, 2 failed" in result.stdout
    assert "error: bad.png: is not a picture" in result.stderr and "error: missing.png" in result.stderr
    assert Path("out/chest_x4.png").exists()


def test_a_second_run_neither_overwrites_nor_feeds_on_the_first(cli: RunCli, chest: Path) -> None:
    assert cli("run", ".", "-o", ".", "--model", "bicubic").exit_code == 0
    before = Path("chest_x4.png").read_bytes()
    result = cli("run", ".", "-o", ".", "--model", "bicubic", "--colour", "luma")
    assert result.exit_code == 1
    assert "1 failed, 1 skipped" in result.stdout and "--overwrite" in result.stderr
    assert Path("chest_x4.png").read_bytes() == before
    assert cli("run", ".", "-o", ".", "--model", "bicubic", "--overwrite").exit_code == 0


def test_json_is_one_document(cli: RunCli, chest: Path) -> None:
    Path("bad.png").write_text("hello")
    result = cli("run", chest, "bad.png", "--model", "bicubic", "--json")
    document = json.loads(result.stdout)
    assert document["schema_version"] == 1 and document["counts"]["failed"] == 1
    done, bad = document["files"]
    assert (done["status"], bad["status"]) == ("done", "failed")
    assert done["provenance"]["model"] == "bicubic" and done["phases_ms"]["write"] > 0
    assert "not a picture" in bad["error"]


def test_a_dry_run_lists_and_writes_nothing(cli: RunCli, chest: Path) -> None:
    result = cli("run", chest, "-o", "out", "--compare", "--dry-run")
    assert result.exit_code == 0
    assert "-> out/chest_x4.png, out/chest_x4.json, out/chest_x4_compare.png" in result.stdout
    assert not Path("out").exists()


def test_a_dry_run_finds_collisions(cli: RunCli, chest: Path) -> None:
    Path("chest.jpg").write_text("")
    result = cli("run", ".", "-o", "out", "--dry-run")
    assert result.exit_code == 2
    assert "chest.jpg" in result.stderr and "chest.png" in result.stderr


def test_the_comparison_is_drawn_under_the_name_given(cli: RunCli, chest: Path) -> None:
    result = cli("run", chest, "-o", "out", "--compare-as", "shown/before-after.png", "--model", "bicubic")
    assert result.exit_code == 0, result.output
    assert "shown/before-after.png" in result.stdout
    assert pixels(Path("shown/before-after.png")).shape[1] > 3 * 256


def test_a_colour_picture_with_luma(cli: RunCli) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(rgb).save("photo.png")
    assert cli("run", "photo.png", "--model", "bicubic", "--colour", "luma", "--compare").exit_code == 0
    assert pixels(Path("photo_x4.png")).shape == (80, 120, 3)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_utf8(cli: RunCli, chest: Path) -> None:
    name = os.fsdecode(b"chest\xff.png")
    chest.rename(name)
    for words in ((name,), (name, "--dry-run", "--overwrite"), (".",)):
        result = cli("run", *words, "--model", "bicubic")
        assert result.exit_code == 0, result.output
    assert Path(os.fsdecode(b"chest\xff_x4.json")).exists()


def test_options_come_from_the_environment_too(cli: RunCli, chest: Path) -> None:
    assert cli("run", chest, EDGE_SR_RUN_MODEL="bicubic", EDGE_SR_RUN_OUT="from_env").exit_code == 0
    assert Path("from_env/chest_x4.png").exists()


def test_a_bar_is_shown_on_a_terminal_alone(
    cli: RunCli, chest: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [run_module.Job(chest, chest)] * 2
    for terminal in (False, True):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        with run_module._progress(jobs) as bar:
            assert list(bar) == jobs
        shown = capsys.readouterr()
        assert shown.out == "" and ("edge-sr" in shown.err) == terminal


def test_the_samplers_and_precisions_offered_are_those_there_are() -> None:
    assert SAMPLERS == samplers.SAMPLERS and PRECISIONS == engines.CHOICES
    assert PROVIDERS == onnxrt_providers.PROVIDERS


def test_a_provider_goes_with_onnx_runtime_and_float32(cli: RunCli, chest: Path, tiny: Bundle) -> None:
    words = ("run", chest, "--model", tiny.folder, "--provider")
    for rest, reason in (
        (("cpu", "--backend", "tensorrt"), "--provider cpu: is of ONNX Runtime and not of TensorRT"),
        (("cuda", "--precision", "int8"), "--provider cuda: has no int8 engines"),
        (("cuda", "--model", "bicubic"), "--provider cuda: bicubic runs on the CPU"),
    ):
        result = cli(*words, *rest)
        assert result.exit_code == 2 and reason in result.stderr
    assert cli(*words, "cpu").exit_code == 0


def test_on_a_gpu_nobody_is_sent_to_build_an_engine() -> None:
    provenance = {"backend": "onnxruntime 1.31.1, CUDA", "precision": "fp32", "engine": None}
    (line,) = run_report._made_with(SRResult(np.zeros((1, 1), np.uint8), provenance))
    assert line == "the bundle's own networks, in fp32, by onnxruntime 1.31.1, CUDA"


def test_without_its_package_cuda_says_what_to_type(
    cli: RunCli, chest: Path, tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    result = cli("run", chest, "--model", tiny.folder, "--provider", "cuda")
    assert result.exit_code == 3 and "built without CUDA" in result.stderr and "onnxruntime-gpu" in result.stderr
    assert not chest.with_name("chest_x4.png").exists()


def test_without_an_engine_it_says_how_to_get_one(cli: RunCli, chest: Path, tiny: Bundle) -> None:
    result = cli("run", chest, "--model", tiny.folder)
    assert "no engine: the bundle's own networks, in fp32; try: edge-sr build" in result.stdout
    record = json.loads(read_text(chest.with_name("chest_x4.png"))["edge-sr"])
    assert (record["precision"], record["engine"], record["engine_sha256"]) == ("fp32", None, None)
    again = cli("run", chest, "-o", "int8.png", "--model", tiny.folder, "--precision", "int8")
    assert again.exit_code == 3
    assert f"try: edge-sr build {tiny.folder} --precision int8" in again.stderr
    assert not Path("int8.png").exists()


def test_a_model_that_has_no_engines_says_nothing_of_them(cli: RunCli, chest: Path) -> None:
    assert "engine" not in cli("run", chest, "--model", "bicubic").stdout


def test_help_ends_in_examples(cli: RunCli) -> None:
    assert "Examples:\n" in cli("run", "--help").stdout


def test_samples_write_their_mean_and_their_spread(cli: RunCli, chest: Path, tiny: Bundle) -> None:
    result = cli("run", chest, "-o", "out", "--model", tiny.folder, "--samples", 3)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in Path("out").iterdir()) == [
        "chest_x4.json",
        "chest_x4.png",
        "chest_x4_spread.png",
    ]
    assert pixels(Path("out/chest_x4_spread.png")).shape == pixels(Path("out/chest_x4.png")).shape
    again = cli("run", chest, "-o", "out", "--model", tiny.folder, "--samples", 3)
    assert again.exit_code == 1 and "exists already" in again.stderr


def test_samples_of_a_model_without_noise_are_an_error_of_the_command_line(cli: RunCli, chest: Path) -> None:
    result = cli("run", chest, "--model", "bicubic", "--samples", 2)
    assert result.exit_code == 2 and "draws no noise" in result.stderr
    assert not chest.with_name("chest_x4.png").exists()
