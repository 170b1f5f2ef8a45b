"""``edge-sr engines``: what it lists, what it refuses, and what it removes and leaves."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge_sr.artifacts.bundle import Bundle
from edge_sr.artifacts.chain import chain_of
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.artifacts.engine_key import EngineKey
from edge_sr.cli import engines as module
from edge_sr.cli import engines_explain
from edge_sr.cli.engines import engines
from edge_sr.errors import UsageError
from tests.engine_entries import KEY, MACHINE, manifest_of, put

STALE = replace(KEY, backend_version="1.30.0")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache on a machine that has ONNX Runtime alone."""
    for each in (module, engines_explain):
        monkeypatch.setattr(each, "machines_here", lambda: {"onnxruntime": MACHINE})
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path / "engines"))
    return tmp_path / "engines"


@pytest.fixture
def key(fake: Bundle) -> EngineKey:
    """Of an engine of the fake bundle that fits this machine."""
    return replace(KEY, chain_sha256=chain_of(fake, sampler="ddim", steps=1).sha256)


def call(*words: object) -> Result:
    return CliRunner().invoke(engines, [str(word) for word in words])


def damage(entry: Entry) -> Entry:
    (entry.folder / "upscale.ort").write_bytes(b"other")
    return entry


def test_an_empty_cache_says_what_to_type(cache: Path) -> None:
    for command in ("list", "explain"):
        assert "no engines; try: edge-sr build" in call(command).stdout
    assert call("verify").exit_code == 0
    assert call("prune").stdout == "removed 0, 0.0 MiB\n"
    assert not cache.exists()


def test_the_list_marks_the_engine_that_run_takes(cache: Path) -> None:
    slow = put(cache, manifest_of(speedup=1.5))
    fast = put(cache, manifest_of(replace(KEY, precision="fp16"), speedup=2.25))
    stale = put(cache, manifest_of(STALE, speedup=9))
    lines = call("list").stdout.splitlines()
    marks = {name: line[0] for line in lines for name in (slow.name, fast.name, stale.name) if name in line}
    assert marks == {slow.name: " ", fast.name: "*", stale.name: " "}
    assert any("fp16, 2.25 times as fast as fp32" in line for line in lines)
    assert any("stale: backend_version: built for 1.30.0, here 1.31.1" in line for line in lines)


def test_the_list_as_json_holds_the_manifests(cache: Path) -> None:
    put(cache)
    document = json.loads(call("list", "--json").stdout)
    assert document["schema_version"] == 1 and document["folders"] == [str(cache)]
    (row,) = document["engines"]
    assert row["used"] is True and row["status"] == "sound"
    assert row["key"]["chain_sha256"] == KEY.chain_sha256 and row["timings"]["speedup"] == 2


def test_verify_names_what_is_damaged_and_exits_5(cache: Path) -> None:
    sound = put(cache)
    damaged = damage(put(cache, manifest_of(replace(KEY, precision="fp16"))))
    result = call("verify")
    assert result.exit_code == 5
    assert damaged.name in result.stderr and sound.name not in result.stderr
    assert "upscale.ort: file was changed" in result.stdout
    assert json.loads(call("verify", "--json").stdout)["ok"] is False


def test_a_stale_engine_is_no_damage(cache: Path) -> None:
    put(cache, manifest_of(STALE))
    assert call("verify").exit_code == 0


def test_prune_removes_what_cannot_be_used_and_says_why(cache: Path) -> None:
    sound = put(cache, manifest_of(replace(KEY, precision="fp32")))
    stale = put(cache, manifest_of(STALE))
    damaged = damage(put(cache))
    (cache / ".building-12-0123abcd").mkdir()
    said = call("prune").stdout
    assert [path.name for path in cache.iterdir() if path.name != ".lock"] == [sound.name]
    assert f"{stale.folder}  " in said and "stale: backend_version" in said
    assert f"{damaged.folder}  " in said and "damaged: upscale.ort" in said
    assert "left by a build that was killed" in said and said.splitlines()[-1].startswith("removed 3, ")


def test_prune_keeps_what_another_release_or_backend_may_use(cache: Path) -> None:
    put(cache, manifest_of(replace(KEY, build_version=KEY.build_version + 1)))
    put(cache, manifest_of(replace(KEY, backend="tensorrt")))
    assert call("prune").stdout.startswith("removed 0")
    assert call("prune", "--all").stdout.splitlines()[-1].startswith("removed 2")


def test_a_dry_run_removes_nothing(cache: Path) -> None:
    put(cache, manifest_of(STALE))
    (cache / ".building-12-0123abcd").mkdir()
    before = sorted(cache.rglob("*"))
    assert call("prune", "--dry-run").stdout.splitlines()[-1].startswith("would remove 2, ")
    assert sorted(cache.rglob("*")) == before


def test_prune_removes_nothing_for_the_mode_of_the_cache(cache: Path) -> None:
    entry = put(cache)
    cache.chmod(0o775)
    result = call("prune")
    assert f"chmod go-w '{cache}'" in result.stderr and entry.folder.is_dir()
    cache.chmod(0o755)
    assert call("verify").exit_code == 0


def test_prune_touches_no_folder_of_others(cache: Path) -> None:
    put(cache)
    (cache / "holiday-202611211200").mkdir()
    call("prune", "--all")
    assert sorted(path.name for path in cache.iterdir()) == [".lock", "holiday-202611211200"]


def test_explain_says_that_an_engine_fits(cache: Path, fake: Bundle, key: EngineKey) -> None:
    entry = put(cache, manifest_of(key))
    assert call("explain", fake.folder).stdout == f"fits     {entry.name}\n"


def test_explain_names_every_part_that_differs(cache: Path, fake: Bundle, key: EngineKey) -> None:
    put(cache, manifest_of(replace(key, chain_sha256="d" * 64, backend_version="1.30.0", tile=128)))
    (row,) = json.loads(call("explain", fake.folder, "--json").stdout)["engines"]
    assert row["fits"] is False
    assert [each["part"] for each in row["differences"]] == ["chain_sha256", "tile", "backend_version"]
    assert row["differences"][2] == {"part": "backend_version", "built": "1.30.0", "now": "1.31.1"}


def test_explain_shortens_hashes_for_the_eye(cache: Path, fake: Bundle, key: EngineKey) -> None:
    put(cache, manifest_of(replace(key, chain_sha256="d" * 64)))
    assert f"chain_sha256: built dddddddddddd, now {key.chain_sha256[:12]}\n" in call("explain", fake.folder).stdout


def test_explain_compares_with_what_is_asked_for(cache: Path, fake: Bundle, key: EngineKey) -> None:
    put(cache, manifest_of(key))
    said = call("explain", fake.folder, "--steps", 2, "--precision", "fp16").stdout
    assert said.startswith("differs ")
    assert "steps: built 1, now 2" in said and "precision: built int8, now fp16" in said


def test_explain_tells_an_engine_whose_backend_is_not_here(cache: Path, fake: Bundle, key: EngineKey) -> None:
    put(cache, manifest_of(replace(key, backend="tensorrt")))
    assert "backend: built tensorrt, now cannot run here" in call("explain", fake.folder).stdout


def test_explain_refuses_steps_that_the_bundle_cannot_run(cache: Path, fake: Bundle) -> None:
    put(cache)
    assert isinstance(call("explain", fake.folder, "--steps", 9999).exception, UsageError)


def test_explain_passes_over_what_cannot_be_read(cache: Path, fake: Bundle) -> None:
    (put(cache).folder / "manifest.json").unlink()
    result = call("explain", fake.folder)
    assert result.exit_code == 0 and "cannot be read (manifest.json: file is missing)" in result.stderr


@pytest.mark.parametrize("command", engines.commands)
def test_every_command_has_an_example_in_its_help(command: str) -> None:
    text = call(command, "--help").stdout
    assert re.search(rf"^ +edge-sr engines {command}", text.partition("Examples:")[2], re.MULTILINE)
