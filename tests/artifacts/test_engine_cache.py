"""Which engine is found, which is passed over, and where a cache is looked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.artifacts import engine_cache
from edge_sr.artifacts.engine_cache import best, cache_folders, entries, explain, find, standing
from edge_sr.artifacts.engine_entry import Damaged, Entry
from edge_sr.artifacts.engine_key import BUILD_VERSION
from tests.engine_entries import FILES, KEY, MACHINE, manifest_of, put

CHAIN = KEY.chain_sha256
HERE = {"onnxruntime": MACHINE}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EDGE_SR_CACHE", str(tmp_path / "engines"))
    return tmp_path / "engines"


def damage(entry: Entry) -> None:
    (entry.folder / "upscale.ort").write_bytes(b"other")


def test_the_variable_alone_counts_where_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/anna")
    monkeypatch.setenv("EDGE_SR_CACHE", "~/built")
    assert cache_folders() == [Path("/home/anna/built")]
    monkeypatch.setenv("EDGE_SR_CACHE", "")
    assert cache_folders() == [Path("/var/lib/edge-sr/engines"), Path("/home/anna/.cache/edge-sr/engines")]


def test_a_user_without_a_home_has_the_folder_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("EDGE_SR_CACHE", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert cache_folders() == [engine_cache.SYSTEM]


def test_a_cache_that_is_not_there_is_empty(cache: Path) -> None:
    assert list(entries(cache)) == []
    assert find(KEY) is None and best(CHAIN, MACHINE) is None and explain(KEY) is None


def test_what_has_no_name_of_an_entry_is_not_ours(cache: Path) -> None:
    put(cache)
    (cache / "backup-202611211200").mkdir()
    (cache / "notes.txt").write_text("")
    assert [each.name for each in entries(cache)] == [manifest_of().folder_name]


def test_damage_is_listed_and_not_raised(cache: Path) -> None:
    entry = put(cache)
    (entry.folder / "manifest.json").unlink()
    (found,) = entries(cache)
    assert isinstance(found, Damaged) and found.reason == "manifest.json: file is missing"


def test_a_key_is_found_and_a_neighbour_is_not(cache: Path) -> None:
    entry = put(cache)
    assert find(KEY) == entry
    assert find(replace(KEY, batch=(1, 4, 4))) is None


def test_a_damaged_entry_is_passed_over_and_told(cache: Path) -> None:
    told: list[Damaged] = []
    damage(put(cache))
    assert find(KEY, refused=told.append) is None
    assert best(CHAIN, MACHINE, refused=told.append) is None
    assert [each.reason.partition(":")[0] for each in told] == ["upscale.ort", "upscale.ort"]


def test_the_fastest_is_best_and_the_next_where_it_is_damaged(cache: Path) -> None:
    slow = put(cache, manifest_of(speedup=1.5))
    fast = put(cache, manifest_of(replace(KEY, precision="fp16"), speedup=2.5))
    assert best(CHAIN, MACHINE) == fast
    damage(fast)
    assert best(CHAIN, MACHINE) == slow


def test_precision_may_be_what_was_asked_for_or_what_came_of_it(cache: Path) -> None:
    put(cache, manifest_of(replace(KEY, precision="fp32"), speedup=9))
    auto = put(cache, manifest_of(replace(KEY, precision="auto"), precision="fp16"))
    assert best(CHAIN, MACHINE, precision="auto") == auto == best(CHAIN, MACHINE, precision="fp16")
    assert best(CHAIN, MACHINE, precision="int8") is None


@pytest.mark.parametrize("part", ["chain_sha256", "backend_version", "device", "instructions", "build_version"])
def test_an_engine_of_elsewhere_is_never_best(cache: Path, part: str) -> None:
    other = {"chain_sha256": "d" * 64, "instructions": (), "build_version": BUILD_VERSION + 1}.get(part, "other")
    put(cache, manifest_of(replace(KEY, **{part: other})))  # type: ignore[arg-type]
    assert best(CHAIN, MACHINE) is None


def test_a_simulated_engine_counts_only_where_it_is_asked_for(cache: Path) -> None:
    entry = put(cache, manifest_of(simulated=True))
    assert best(CHAIN, MACHINE) is None
    assert best(CHAIN, MACHINE, simulated=True) == entry


def test_the_machines_folder_comes_before_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_SR_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(engine_cache, "SYSTEM", tmp_path / "system")
    mine = put(tmp_path / ".cache/edge-sr/engines")
    assert find(KEY) == mine == best(CHAIN, MACHINE)
    assert find(KEY, folders=[tmp_path / "system"]) is None
    shared = put(tmp_path / "system")
    assert find(KEY) == shared == best(CHAIN, MACHINE)


def test_a_miss_is_explained_by_the_nearest_entry(cache: Path) -> None:
    put(cache, manifest_of(replace(KEY, precision="fp32", calibration_sha256="", batch=(1, 1, 1))))
    near = put(cache, manifest_of(replace(KEY, backend_version="1.30.0")))
    assert explain(KEY) == (near, [("backend_version", "1.31.1", "1.30.0")])


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({}, "sound", ""),
        ({"backend_version": "1.30.0"}, "stale", "backend_version: built for 1.30.0, here 1.31.1"),
        ({"build_version": BUILD_VERSION + 1}, "newer", "build_version"),
        ({"backend": "tensorrt"}, "elsewhere", "tensorrt cannot run here"),
    ],
)
def test_an_entry_is_told_what_it_is_worth_here(
    cache: Path, change: dict[str, object], status: str, reason: str
) -> None:
    found = standing(put(cache, manifest_of(replace(KEY, **change))), HERE)  # type: ignore[arg-type]
    assert found.status == status and found.reason.startswith(reason)


def test_an_entry_that_is_replaced_while_it_is_read_is_read_again(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = put(cache)
    new = put(cache, files={**FILES, "upscale.ort": b"a newer engine"})
    monkeypatch.setattr(engine_cache, "entries", lambda folder: iter([old]))
    assert find(KEY) == new != old


def test_damage_goes_before_staleness(cache: Path) -> None:
    entry = put(cache, manifest_of(replace(KEY, backend_version="1.30.0")))
    damage(entry)
    assert standing(entry, HERE).status == "damaged"


def test_an_entry_of_another_user_is_his_business(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = put(cache)
    monkeypatch.setattr(engine_cache, "owned_by_us", lambda status: False)
    assert standing(entry, HERE).status == "foreign"
