"""A bundle is opened whole and unchanged, or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from edge_sr.artifacts import bundle as bundle_module
from edge_sr.artifacts.bundle import MAX_ENTRIES, Bundle, extend_bundle, file_sha256, has_external_data, write_bundle
from edge_sr.artifacts.manifest import InputSpec, Manifest, NetworkFile
from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError
from edge_sr.tensors import TensorSpec

SPECS = (TensorSpec("lr", ("N", 1, 8, 8), "float32"),)
NETWORK = NetworkFile("onnx/generator.onnx", opset=20, inputs=SPECS, outputs=SPECS)
MANIFEST = Manifest(
    name="tiny",
    version="0.1.0",
    family="espcn",
    scale=4,
    input=InputSpec(channels=1, degradation="area", tile=8),
    networks={"generator": NETWORK},
    intended_use="Tests only.",
)


def stage(folder: Path, card: str = "card") -> Path:
    (folder / "onnx").mkdir(parents=True)
    (folder / "onnx" / "generator.onnx").write_bytes(b"weights")
    (folder / "MODEL_CARD.md").write_text(card)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "tiny", staging=stage(tmp_path / "staging"), manifest=MANIFEST).folder


def test_a_written_bundle_opens(folder: Path) -> None:
    bundle = Bundle.open(folder)
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert bundle.manifest.networks == {"generator": replace(NETWORK, sha256=sha256)}
    assert bundle.manifest.files == {"MODEL_CARD.md": hashlib.sha256(b"card").hexdigest()}
    assert bundle.path("generator").read_bytes() == b"weights"
    assert bundle.sha256 == hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def test_an_unknown_role_is_named(folder: Path) -> None:
    with pytest.raises(UsageError, match="no network 'encoder'; expected generator"):
        Bundle.open(folder).path("encoder")


@pytest.mark.parametrize("name", ["onnx/generator.onnx", "MODEL_CARD.md"])
def test_one_flipped_bit_is_found(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[-1] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(IntegrityError, match=rf"tiny/{name}: file was changed: its sha256 .*\n  try: copy the"):
        Bundle.open(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "MODEL_CARD.md").unlink()
    with pytest.raises(IntegrityError, match=r"tiny/MODEL_CARD.md: file is missing"):
        Bundle.open(folder)


@pytest.mark.parametrize("name", ["extra.py", ".hidden", "onnx/deep/extra.onnx"])
def test_an_unlisted_file_is_named(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text("")
    with pytest.raises(IntegrityError, match=rf"tiny/{name}: file is not listed in manifest.json"):
        Bundle.open(folder)


@pytest.mark.parametrize("name", ["onnx/generator.onnx", "onnx", "manifest.json"])
def test_a_symbolic_link_is_refused_even_to_the_right_bytes(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=rf"tiny/{name}: is a symbolic link"):
        Bundle.open(folder)


def test_a_pipe_is_refused_without_waiting_on_it(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    with pytest.raises(IntegrityError, match="pipe: is neither a file nor a folder"):
        Bundle.open(folder)


def test_a_listed_path_outside_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "outside.md").write_text("card")
    raw = json.loads((folder / "manifest.json").read_text())
    raw["files"]["../outside.md"] = file_sha256(tmp_path / "outside.md")
    (folder / "manifest.json").write_text(json.dumps(raw))
    with pytest.raises(IntegrityError, match=r"manifest.json: files: got '../outside.md'"):
        Bundle.open(folder)


def test_a_folder_reached_by_a_link_is_fine(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(folder)
    assert Bundle.open(tmp_path / "current").manifest.name == "tiny"


def test_limits_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "MAX_BUNDLE_BYTES", 10)
    with pytest.raises(IntegrityError, match="bytes in all; expected at most 10"):
        Bundle.open(folder)
    for n in range(MAX_ENTRIES):
        (folder / f"{n}").mkdir()
    with pytest.raises(IntegrityError, match="more than 256 files and folders"):
        Bundle.open(folder)


def test_an_endless_manifest_is_not_read(folder: Path) -> None:
    os.truncate(folder / "manifest.json", 1 << 30)
    with pytest.raises(IntegrityError, match=r"manifest.json: 1,073,741,824 bytes long; expected at most 1,048,576"):
        Bundle.open(folder)


def test_what_is_no_bundle_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="absent: no such folder"):
        Bundle.open(tmp_path / "absent")
    with pytest.raises(UsageError, match="file: is a file; expected a bundle folder"):
        Bundle.open(tmp_path / "file")
    with pytest.raises(IntegrityError, match=r"empty/manifest.json: file is missing"):
        Bundle.open(tmp_path / "empty")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_a_fault_of_the_machine(folder: Path) -> None:
    (folder / "MODEL_CARD.md").chmod(0)
    with pytest.raises(EnvironmentFault, match=r"MODEL_CARD.md: cannot be read: Permission denied"):
        Bundle.open(folder)


@pytest.mark.parametrize("length", [b"\x08", b"\x88\x00", b"\x88\x80\x00"])
def test_weights_in_another_file_are_refused_in_every_encoding(tmp_path: Path, length: bytes) -> None:
    staging = stage(tmp_path / "staging")
    (staging / "onnx" / "generator.onnx").write_bytes(b"\x0a" + length + b"location\x12\x0b/etc/passwd")
    with pytest.raises(IntegrityError, match=r"onnx/generator.onnx: keeps weights in another file"):
        write_bundle(tmp_path / "tiny", staging=staging, manifest=MANIFEST)
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize("before", range(bundle_module._CHUNK_BYTES - 10, bundle_module._CHUNK_BYTES + 1))
def test_no_border_between_chunks_hides_them(tmp_path: Path, before: int) -> None:
    (tmp_path / "x.onnx").write_bytes(bytes([1]) * before + b"\x08location")
    assert has_external_data(tmp_path / "x.onnx")


@pytest.mark.parametrize("external", [True, False])
def test_real_onnx_files_are_told_apart(tmp_path: Path, external: bool) -> None:
    onnx = pytest.importorskip("onnx")
    weight = onnx.helper.make_tensor("allocation", onnx.TensorProto.FLOAT, [4], bytes(16), raw=True)
    node = onnx.helper.make_node("Identity", ["allocation"], ["y"], doc_string="its location")
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [4])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [out], [weight]))
    onnx.save(model, tmp_path / "x.onnx", save_as_external_data=external, location="w.bin", size_threshold=0)
    assert has_external_data(tmp_path / "x.onnx") == external


def test_a_network_without_its_file_is_not_written(tmp_path: Path) -> None:
    staging = stage(tmp_path / "staging")
    (staging / "onnx" / "generator.onnx").unlink()
    with pytest.raises(IntegrityError, match=r"generator.onnx: file of the network 'generator' is missing"):
        write_bundle(tmp_path / "tiny", staging=staging, manifest=MANIFEST)


def test_a_manifest_that_would_not_be_read_is_not_published(tmp_path: Path) -> None:
    wrong = replace(MANIFEST, scale=99)
    with pytest.raises(IntegrityError, match="scale: got 99"):
        write_bundle(tmp_path / "tiny", staging=stage(tmp_path / "staging"), manifest=wrong)
    assert not (tmp_path / "tiny").exists()


def test_nothing_is_overwritten_unasked(folder: Path, tmp_path: Path) -> None:
    newer = stage(tmp_path / "newer", card="newer")
    with pytest.raises(UsageError, match="tiny: exists already"):
        write_bundle(folder, staging=newer, manifest=MANIFEST)
    write_bundle(folder, staging=newer, manifest=MANIFEST, overwrite=True)
    assert (folder / "MODEL_CARD.md").read_text() == "newer"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny"]


def test_overwriting_replaces_bundles_only(tmp_path: Path) -> None:
    (tmp_path / "letters").mkdir()
    with pytest.raises(UsageError, match="letters: is not a bundle, so it is not replaced"):
        write_bundle(tmp_path / "letters", staging=stage(tmp_path / "s"), manifest=MANIFEST, overwrite=True)


def test_the_older_bundle_comes_back_when_the_rename_fails(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer, rename = stage(tmp_path / "newer", card="newer"), Path.rename

    def full(source: Path, target: Path) -> Path:
        if source == newer:
            raise OSError(28, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(EnvironmentFault, match="cannot be written: No space left on device"):
        write_bundle(folder, staging=newer, manifest=MANIFEST, overwrite=True)
    assert (Bundle.open(folder).folder / "MODEL_CARD.md").read_text() == "card"


def test_a_bundle_from_a_private_folder_is_readable_by_the_service(tmp_path: Path) -> None:
    private = Path(tempfile.mkdtemp(dir=tmp_path))
    staging = stage(private / "inner")
    staging.chmod(0o700)
    folder = write_bundle(tmp_path / "tiny", staging=staging, manifest=MANIFEST).folder
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_bundle_extended_is_whole_again(folder: Path) -> None:
    before = Bundle.open(folder)
    after = extend_bundle(before, {"more/notes.txt": b"notes", "MODEL_CARD.md": b"new"}, before.manifest)
    assert after.folder == folder
    assert sorted(after.manifest.files) == ["MODEL_CARD.md", "more/notes.txt"]
    assert after.manifest.networks == before.manifest.networks
    assert sorted(path.name for path in folder.parent.iterdir() if path.name != "staging") == ["tiny"]


def test_an_extension_that_fails_leaves_the_bundle(folder: Path) -> None:
    before = Bundle.open(folder)
    with pytest.raises(IntegrityError, match="keeps weights in another file"):
        extend_bundle(before, {"onnx/generator.onnx": b"\x08location\x0a\x0dexternal_data"}, before.manifest)
    assert Bundle.open(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["tiny"]
