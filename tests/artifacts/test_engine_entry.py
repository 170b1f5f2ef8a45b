"""An engine is loaded as it was published and from trusted hands, or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_sr.artifacts.engine_entry import Damaged, Entry, read_entry
from edge_sr.artifacts.engine_manifest import EngineManifest, parse_engine_manifest
from edge_sr.errors import IntegrityError
from tests.engine_entries import KEY, manifest_of, put

Edit = Callable[[dict[str, object]], object]
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    return put(tmp_path / "engines")


def edit(entry: Entry, change: Edit) -> None:
    path = entry.folder / "manifest.json"
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


def test_what_was_published_verifies(entry: Entry) -> None:
    entry.verify()
    assert entry.folder.name == f"tiny-ddim-1-int8-onnxruntime-{KEY.sha256[:12]}"
    assert entry.engines() == {"upscale": entry.folder / "upscale.ort"}
    assert entry.manifest.engines["upscale"].bytes == len(b"engine") and set(entry.manifest.files) == {"build.log"}


def test_a_manifest_reads_back_as_it_was_written(entry: Entry) -> None:
    manifest: EngineManifest = entry.manifest
    assert parse_engine_manifest(manifest.to_json()) == manifest


@pytest.mark.parametrize("name", ["upscale.ort", "build.log"])
def test_one_changed_byte_is_found_and_the_way_out_named(entry: Entry, name: str) -> None:
    content = bytearray((entry.folder / name).read_bytes())
    content[0] ^= 1
    (entry.folder / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"{name}: file was changed: .*\n  try: edge-sr engines prune; edge-sr"):
        entry.verify()


def test_a_missing_file_is_named(entry: Entry) -> None:
    (entry.folder / "build.log").unlink()
    with pytest.raises(IntegrityError, match=r"build.log: file is missing"):
        entry.verify()


def test_an_unlisted_file_is_named(entry: Entry) -> None:
    (entry.folder / "plugin.so").write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"plugin.so: file is not listed"):
        entry.verify()


@pytest.mark.parametrize("name", ["upscale.ort", "manifest.json"])
def test_a_link_is_refused_even_to_the_right_bytes(entry: Entry, tmp_path: Path, name: str) -> None:
    (entry.folder / name).rename(tmp_path / "elsewhere")
    (entry.folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=rf"{name}: is a symbolic link"):
        entry.verify()


def test_an_entry_that_is_a_link_is_refused(entry: Entry, tmp_path: Path) -> None:
    entry.folder.rename(tmp_path / "elsewhere")
    entry.folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="is a symbolic link"):
        Entry.open(entry.folder)


def test_a_cache_reached_by_a_link_is_fine(entry: Entry, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(entry.folder.parent)
    Entry.open(tmp_path / "link" / entry.folder.name).verify()


@pytest.mark.parametrize("place", [".", "upscale.ort", "manifest.json", ".."])
@pytest.mark.parametrize("mode", [0o020, 0o002])
def test_what_others_may_write_is_refused_with_the_chmod_to_type(entry: Entry, place: str, mode: int) -> None:
    path = (entry.folder / place).resolve()
    path.chmod(path.stat().st_mode | mode)
    with pytest.raises(IntegrityError, match=rf"{path}: others may write to it.*\n  try: chmod go-w '{path}'"):
        entry.verify()


@as_root
@pytest.mark.parametrize("place", [".", "upscale.ort", "manifest.json", ".."])
def test_what_belongs_to_a_third_user_is_refused(entry: Entry, place: str) -> None:
    os.chown(entry.folder / place, 12345, -1)
    with pytest.raises(IntegrityError, match=r"belongs to user 12345; expected this user or root"):
        entry.verify()


@as_root
def test_a_user_trusts_what_root_built(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    entry.verify()


def test_a_copy_under_another_name_is_refused(entry: Entry) -> None:
    copy = entry.folder.rename(entry.folder.with_name(entry.folder.name.replace("int8", "fp16")))
    with pytest.raises(IntegrityError, match="folder was renamed"):
        Entry.open(copy).verify()


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("key.steps", lambda raw: raw["key"].update(steps=0)),
        ("verdict.passed", lambda raw: raw["verdict"].update(passed=False)),
        ("timings.speedup", lambda raw: raw["timings"].pop("speedup")),
        ("engines.upscale.file", lambda raw: raw["engines"]["upscale"].update(file="../x")),
        ("files", lambda raw: raw["files"].update({"/etc/passwd": "0" * 64})),
        ("engines", lambda raw: raw["engines"].update(other=raw["engines"]["upscale"])),
        ("precision", lambda raw: raw.update(precision="auto")),
        ("colour", lambda raw: raw.update(colour=1)),
    ],
)
def test_an_unfit_field_is_named(entry: Entry, field: str, change: Edit) -> None:
    edit(entry, change)
    found = read_entry(entry.folder)
    assert isinstance(found, Damaged) and not found.newer
    assert found.reason.startswith(f"manifest.json: {field}: ")


def test_an_entry_of_a_later_release_is_no_damage(entry: Entry) -> None:
    edit(entry, lambda raw: raw.update(schema_version=2, colour=1))
    found = read_entry(entry.folder)
    assert isinstance(found, Damaged) and found.newer and "schema_version: got 2" in found.reason


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]"])
def test_half_a_manifest_is_told_and_not_raised(entry: Entry, content: bytes) -> None:
    (entry.folder / "manifest.json").write_bytes(content)
    assert isinstance(read_entry(entry.folder), Damaged)


def test_an_entry_that_goes_while_it_is_read_is_told(entry: Entry) -> None:
    for path in entry.folder.iterdir():
        path.unlink()
    entry.folder.rmdir()
    with pytest.raises(IntegrityError, match="cannot be read: No such file"):
        entry.verify()


def test_a_manifest_that_changed_after_it_was_read_is_found(entry: Entry) -> None:
    edit(entry, lambda raw: raw.update(simulated=True))
    with pytest.raises(IntegrityError, match=r"manifest.json: file was changed just now"):
        entry.verify()


def test_the_name_carries_what_a_person_looks_for() -> None:
    assert manifest_of().folder_name.startswith("tiny-ddim-1-int8-onnxruntime-")
