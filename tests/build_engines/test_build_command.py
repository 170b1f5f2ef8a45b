"""``edge-sr build`` from the command line to the picture that ``edge-sr run`` makes with the engine."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

pytest.importorskip("onnx", reason="graphs are composed with onnx")
pytest.importorskip("onnxruntime", reason="the graphs run in ONNX Runtime")

from build_engines import build as build_module
from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.image.phantom import chest_phantom
from edge_sr.image.png import write_png
from edge_sr.image.quality import psnr
from edge_sr.image.radiograph import read_radiograph
from tests.build_engines.broken_tables import broken
from tests.conftest import RunCli
from tests.small_disk import files_end_at

Build = Callable[..., Result]
TINY = ("--check-phantoms", 1, "--threads", 1)


@pytest.fixture
def build(cli: RunCli, default_table: Path, quick: None) -> Build:
    """``edge-sr build`` of one step of the default bundle, from a few pictures."""

    def call(*words: object) -> Result:
        return cli("build", "--steps", 1, "--check-phantoms", 1, "--calibration", default_table, *words)

    return call


def published(cache: Path) -> list[Entry]:
    """The entries of a cache folder, verified; nothing else may be in it but the lock."""
    if not cache.exists():
        return []
    entries = [Entry.open(path) for path in sorted(cache.iterdir()) if path.name != ".lock"]
    for entry in entries:
        entry.verify()
    return entries


# What is built.


def test_int8(build: Build, engine_cache: Path) -> None:
    result = build("--precision", "int8")
    assert result.exit_code == 0, result.output
    (entry,) = published(engine_cache)
    manifest = entry.manifest
    lines = result.stdout.splitlines()
    assert lines[0].startswith("cxr-x4-edge ") and ", ddim, 1 step: int8 for onnxruntime " in lines[0]
    assert lines[-1] == f"published: {entry.folder}"
    assert manifest.precision == "int8" and manifest.verdict["passed"] is True and manifest.high == ()
    assert manifest.key.calibration_sha256 and not manifest.simulated
    assert (entry.folder / "build.log").read_text().splitlines() == lines[1:-1]
    assert list(json.loads((entry.folder / "tensors.json").read_bytes())) == ["upscale", "upscale, stages"]


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_fp16_and_fp32_need_no_ranges(cli: RunCli, quick: None, engine_cache: Path, precision: str) -> None:
    result = cli("build", "--check-phantoms", 1, "--precision", precision)
    assert result.exit_code == 0, result.output
    (entry,) = published(engine_cache)
    assert (entry.manifest.precision, entry.manifest.key.calibration_sha256) == (precision, "")
    row = entry.manifest.verdict["rows"][0]  # type: ignore[index]
    assert row["psnr_db"] > {"fp32": 120, "fp16": 55}[precision]


def test_auto_keeps_the_fastest_and_out_of_int8_what_a_wrong_scale_spoils(
    build: Build, default_table: Path, engine_cache: Path
) -> None:
    table = broken(default_table, Path("broken.json"), "decoder/relu_5", 32)
    result = build("--precision", "auto", "--calibration", table)
    assert result.exit_code == 0, result.output
    (entry,) = published(engine_cache)
    ms: Mapping[str, float] = entry.manifest.timings["p50_ms"]  # type: ignore[assignment]
    assert set(ms) == {"fp32", "fp16", "int8"} and entry.key.precision == "auto"
    assert entry.manifest.precision == min(ms, key=lambda name: ms[name])
    (kept,) = (line for line in result.stdout.splitlines() if line.endswith("(kept)"))
    assert kept.startswith(f"time: {entry.manifest.precision} ")
    assert "decoder/conv2d_6" in json.loads((entry.folder / "sensitivity.json").read_bytes())["high"]
    assert "<svg" in (entry.folder / "sensitivity.svg").read_text()


def test_a_staged_chain_has_an_engine_a_network(
    cli: RunCli, quick: None, tiny: Bundle, chest: Path, engine_cache: Path
) -> None:
    chain = ("--sampler", "ddpm", "--steps", 3)
    result = cli("build", tiny.folder, *chain, "--precision", "fp16", *TINY)
    assert result.exit_code == 0, result.output
    (entry,) = published(engine_cache)
    assert set(entry.manifest.engines) == {"encoder", "denoiser", "decoder"}
    run = cli("run", chest, "--model", tiny.folder, *chain)
    assert f"engine: fp16, {entry.name}" in run.stdout


def test_convolutions_that_are_kept_high_are_another_engine(build: Build, engine_cache: Path) -> None:
    high = ("decoder/conv2d_6", "denoiser0/conv2d_1")
    result = build("--precision", "int8", "--high", high[0], "--high", high[1])
    assert result.exit_code == 0, result.output
    (entry,) = published(engine_cache)
    assert entry.manifest.high == high and entry.key.options == {"high": " ".join(high)}
    unknown = build("--precision", "int8", "--high", "decoder/none")
    assert unknown.exit_code == 2 and "no INT8 convolution writes decoder/none" in unknown.stderr


def test_pictures_of_ones_own_are_checked_too_and_the_truth_is_held(
    cli: RunCli, quick: None, tiny: Bundle, chest: Path, engine_cache: Path
) -> None:
    for folder in ("scans", "hr"):
        Path(folder).mkdir()
    chest.rename("scans/a.png")
    write_png(Path("hr/a.png"), chest_phantom(256, seed=1), text={})
    words = ("--images", "scans", "--truth", "hr")
    result = cli("build", tiny.folder, "--precision", "fp16", *words, *TINY)
    assert result.exit_code == 0, result.output
    (entry,) = published(engine_cache)
    assert [row["pictures"] for row in entry.manifest.verdict["rows"]] == [2] * 3  # type: ignore[index, attr-defined]
    assert "against 1 HR pictures at fidelity 1: psnr_db " in result.stdout


def test_json_is_one_document(cli: RunCli, quick: None, tiny: Bundle, engine_cache: Path) -> None:
    result = cli("build", tiny.folder, "--precision", "fp32", "--json", *TINY)
    document = json.loads(result.stdout)
    (entry,) = published(engine_cache)
    assert (document["fresh"], document["folder"]) == (True, str(entry.folder))
    assert document["key"] == entry.key.to_json() and document["timings"] == entry.manifest.timings
    assert "check at fidelity 1:" in result.stderr


def test_a_second_build_finds_the_first_and_changes_nothing(build: Build, engine_cache: Path) -> None:
    build("--precision", "int8")
    (entry,) = published(engine_cache)
    before = {path: path.stat() for path in entry.folder.iterdir()}
    result = build("--precision", "int8")
    assert result.exit_code == 0 and result.stdout.splitlines()[-1] == f"built already: {entry.folder}"
    assert {path: path.stat() for path in entry.folder.iterdir()} == before
    assert json.loads(build("--precision", "int8", "--json").stdout)["fresh"] is False


def test_force_builds_anew(cli: RunCli, quick: None, tiny: Bundle, engine_cache: Path) -> None:
    command = ("build", tiny.folder, "--precision", "fp32", *TINY)
    cli(*command)
    (entry,) = published(engine_cache)
    before = (entry.folder / "manifest.json").stat().st_ino
    result = cli(*command, "--force")
    assert result.stdout.splitlines()[-1] == f"published: {entry.folder}"
    (again,) = published(engine_cache)
    assert (again.folder / "manifest.json").stat().st_ino != before


def test_a_damaged_engine_is_built_again(cli: RunCli, quick: None, tiny: Bundle, engine_cache: Path) -> None:
    command = ("build", tiny.folder, "--precision", "fp32", *TINY)
    cli(*command)
    (entry,) = published(engine_cache)
    (entry.folder / "upscale.engine").write_bytes(b"")
    assert cli(*command).stdout.splitlines()[-1] == f"published: {entry.folder}"
    assert published(engine_cache)[0].name == entry.name


def test_a_miss_says_which_part_of_the_key_differs(cli: RunCli, quick: None, tiny: Bundle) -> None:
    cli("build", tiny.folder, "--precision", "fp32", *TINY)
    result = cli("build", tiny.folder, "--precision", "fp16", *TINY)
    assert "no such engine yet; the nearest, tiny-ddim-1-fp32-" in result.stdout
    assert ", differs in precision\n" in result.stdout


# What is refused.


@pytest.mark.parametrize(
    ("tensor", "factor", "named"),
    [("decoder/relu_5", 8, "decoder/conv2d_6"), ("decoder/relu_3", 1 / 8, "decoder/conv2d_4")],
)
def test_a_scale_that_is_wrong_is_caught_and_its_layer_named(
    build: Build, default_table: Path, engine_cache: Path, tensor: str, factor: float, named: str
) -> None:
    table = broken(default_table, Path("broken.json"), tensor, factor)
    result = build("--precision", "int8", "--calibration", table)
    assert result.exit_code == 4
    first, *culprits, hint = result.stderr.splitlines()
    assert "int8 for onnxruntime: fails the accuracy check: PSNR against float32 is " in first
    assert "dB at fidelity 0, and has to be 48 dB or more" in first
    assert culprits[0].startswith(f"  {named}: keeping it") and " high wins " in culprits[0]
    assert hint.startswith("  try: --precision auto, which keeps the worst layers high")
    assert published(engine_cache) == []


@pytest.mark.parametrize(
    ("words", "spoilt", "told"),
    [
        (("--steps", 2), {}, "is stale or foreign: its steps is 1; expected 2"),
        (("--sampler", "dpmsolver++"), {}, "is stale or foreign: its sampler is ddim; expected dpmsolver++"),
        ((), {"graph_sha256": "f" * 64}, "is stale or foreign: its graph_sha256 is ffffffffffff..."),
        ((), {"schema_version": 99}, "schema_version: got 99"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    build: Build, default_table: Path, engine_cache: Path, words: tuple[object, ...], spoilt: dict, told: str
) -> None:
    table = Path("table.json")
    table.write_text(json.dumps(json.loads(default_table.read_text()) | spoilt))
    result = build("--precision", "int8", "--calibration", table, *words)
    assert result.exit_code == 5
    assert "table.json" in result.stderr and told in result.stderr
    assert published(engine_cache) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--check-phantoms", 0), "no picture to check the engine on; expected --check-phantoms 1 or more"),
        (("--images", "none"), "no such folder"),
        (("--truth", "none"), "none: no picture"),
        (("--steps", 5000), "5000 steps are out of range"),
        (("--calibration", "none.json"), "none.json: no such file"),
        (("none",), "no such model"),
    ],
)
def test_faults_of_the_command_line(build: Build, engine_cache: Path, words: tuple[object, ...], told: str) -> None:
    result = build("--precision", "int8", *words)
    assert result.exit_code == 2 and told in result.stderr
    assert published(engine_cache) == []


def test_a_cache_that_cannot_be_written(
    cli: RunCli, tiny: Bundle, engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine_cache.mkdir(parents=True)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != engine_cache)  # root may write to any mode
    result = cli("build", tiny.folder, "--precision", "fp32", *TINY)
    assert result.exit_code == 3
    assert f"{engine_cache}: cannot be written\n  try: EDGE_SR_CACHE=" in result.stderr


def test_a_full_disk(cli: RunCli, quick: None, tiny: Bundle, engine_cache: Path) -> None:
    with files_end_at(1000):
        result = cli("build", tiny.folder, "--precision", "fp16", *TINY)
    assert result.exit_code == 3, result.output
    assert "edge-sr engines prune" in result.stderr
    assert published(engine_cache) == []
    assert cli("build", tiny.folder, "--precision", "fp16", *TINY).exit_code == 0


@pytest.mark.parametrize("step", ["float_graphs", "check_tensors", "publish"])
def test_an_interrupted_build_leaves_nothing(
    cli: RunCli, quick: None, tiny: Bundle, engine_cache: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def interrupted(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(build_module, step, interrupted)
        assert cli("build", tiny.folder, "--precision", "fp32", *TINY).exit_code == 130
    assert published(engine_cache) == []


# What `edge-sr run` makes of it.


def record_of(picture: Path) -> dict[str, object]:
    return json.loads(picture.with_suffix(".json").read_text())


def test_run_takes_the_engine_by_itself_and_says_so(build: Build, cli: RunCli, chest: Path, engine_cache: Path) -> None:
    cli("run", chest, "-o", "before.png", "--steps", 1)
    refused = cli("run", chest, "--precision", "int8", "--steps", 1)
    assert refused.exit_code == 3 and "  try: edge-sr build --precision int8" in refused.stderr
    build("--precision", "int8")
    (entry,) = published(engine_cache)
    result = cli("run", chest, "-o", "after.png", "--steps", 1)
    assert result.exit_code == 0 and f"engine: int8, {entry.name}" in result.stdout
    record = record_of(Path("after.png"))
    assert (record["precision"], record["engine"]) == ("int8", entry.name)
    assert len(str(record["engine_sha256"])) == 64
    assert record_of(Path("before.png"))["engine"] is None
    pixels = [read_radiograph(Path(name)).pixels for name in ("before.png", "after.png")]
    assert not np.array_equal(*pixels) and psnr(*pixels) > 45


def test_a_damaged_engine_is_passed_over_with_a_warning(
    cli: RunCli, quick: None, tiny: Bundle, chest: Path, engine_cache: Path
) -> None:
    cli("build", tiny.folder, "--precision", "fp16", *TINY)
    (entry,) = published(engine_cache)
    with (entry.folder / "upscale.engine").open("ab") as file:
        file.write(b"more")
    result = cli("run", chest, "--model", tiny.folder)
    assert result.exit_code == 0
    assert f"warning: engine {entry.name} is not used: upscale.engine: file was changed" in result.stderr
    assert "no engine: the bundle's own networks, in fp32; try: edge-sr build" in result.stdout
    record = record_of(chest.with_name("chest_x4.png"))
    assert (record["precision"], record["engine"], record["engine_sha256"]) == ("fp32", None, None)


def test_without_an_engine_it_names_a_command_that_makes_one(
    cli: RunCli, quick: None, tiny: Bundle, chest: Path
) -> None:
    words = ("run", chest, "--model", tiny.folder, "--precision", "fp16", "--steps", 2)
    refused = cli(*words)
    assert refused.exit_code == 3 and f"{tiny.folder}: no fp16 engine of this model" in refused.stderr
    hint = refused.stderr.splitlines()[-1].removeprefix("  try: edge-sr ")
    assert cli(*shlex.split(hint), *TINY).exit_code == 0
    assert "engine: fp16, " in cli(*words).stdout
