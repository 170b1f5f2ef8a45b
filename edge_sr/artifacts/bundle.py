"""A bundle: the folder that carries a model from the host to the device. The format is described in docs/bundle.md."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from edge_sr.artifacts.manifest import MANIFEST, Manifest, parse_manifest
from edge_sr.artifacts.strict_json import MAX_JSON_BYTES, parse_json
from edge_sr.errors import EnvironmentFault, IntegrityError, UsageError

MAX_BUNDLE_BYTES = 2 << 30  # protobuf, and so one ONNX file, ends at 2 GiB too
MAX_ENTRIES = 256
_CHUNK_BYTES = 1 << 18  # stays in the second-level cache
_EXTERNAL = (b"\x08location", b"\0location")  # its key after its length, 8, in one byte or in a padded varint

SHIPPED = {"default": "cxr-x4-edge", "fast": "cxr-x4-fast"}  # word -> folder inside the package


@dataclass(frozen=True)
class Bundle:
    """A bundle whose every file had the listed sha256 when it was opened. sha256: of manifest.json itself."""

    folder: Path
    manifest: Manifest
    sha256: str

    @classmethod
    def open(cls, folder: str | Path) -> Bundle:
        """Verify everything, then hand it out.

        Raises UsageError where there is no such folder, EnvironmentFault where it cannot be read, and IntegrityError,
        which names the file and the reason, where the folder is not exactly what its manifest lists.
        """
        folder = Path(folder)
        with _faults("cannot be read", folder):
            return cls._open(folder)

    @classmethod
    def _open(cls, folder: Path) -> Bundle:
        if not folder.is_dir():
            what = "is a file" if folder.is_file() else "no such folder"
            hint = _hint(folder, "edge-sr run --model default")
            raise UsageError(what, where=folder, expected="a bundle folder", hint=hint)
        sizes = _list_files(folder)
        if MANIFEST not in sizes:
            raise _broken(folder, MANIFEST, "file is missing")
        if sizes[MANIFEST] > MAX_JSON_BYTES:
            raise _broken(folder, MANIFEST, f"{sizes[MANIFEST]:,} bytes long", f"at most {MAX_JSON_BYTES:,}")
        content = (folder / MANIFEST).read_bytes()
        manifest = parse_manifest(parse_json(content, folder / MANIFEST), folder / MANIFEST)
        _verify(folder, set(sizes), manifest.hashes())
        for network in manifest.networks.values():
            if has_external_data(folder / network.file):
                raise _broken(folder, network.file, "keeps weights in another file", "all weights inside")
        return cls(folder, manifest, hashlib.sha256(content).hexdigest())

    def path(self, role: str) -> Path:
        """The ONNX file of one network. Raises UsageError where the bundle has none of that role."""
        if role not in self.manifest.networks:
            expected = " or ".join(self.manifest.networks)
            raise UsageError(f"the bundle has no network {role!r}", where=self.folder, expected=expected)
        return self.folder / self.manifest.networks[role].file


def shipped_bundle(word: str) -> Path:
    """The folder of a bundle that comes inside the package. word: one of SHIPPED."""
    return Path(__file__).resolve().parents[1] / "bundles" / SHIPPED[word]


def default_bundle() -> Path:
    """The one that runs when nothing else is asked for."""
    return shipped_bundle("default")


def bundle_folder(word: str | Path | None = None) -> Path:
    """What a user calls a bundle, to its folder: a word of SHIPPED, a folder, or None for the default one.

    UsageError where it is neither.
    """
    if word is None or str(word) in SHIPPED:
        return shipped_bundle(str(word or "default"))
    folder = Path(word)
    if not folder.is_dir():
        raise UsageError("no such model", where=folder, expected=f"{', '.join(SHIPPED)} or a bundle folder")
    return folder


def word_for(folder: Path) -> str:
    """What to type for a bundle: the other way round."""
    words = (word for word in SHIPPED if shipped_bundle(word) == folder.absolute())
    return next(words, str(folder))


def write_bundle(folder: str | Path, *, staging: str | Path, manifest: Manifest, overwrite: bool = False) -> Bundle:
    """Turn ``staging``, which holds every file but the manifest, into the bundle ``folder``.

    The sha256s are computed here; tensor specs and everything else stay as ``manifest`` has them. manifest.json is
    written last, the staging folder must then pass ``Bundle.open``, and only then is it renamed: ``folder`` is never
    half a bundle. Both must be on one disk. With ``overwrite`` an older bundle there is replaced, but nothing else.
    """
    folder, staging = Path(folder).absolute(), Path(staging).absolute()
    _refuse_taken(folder, overwrite)
    with _faults("cannot be written", folder):
        sha256s = {name: file_sha256(staging / name) for name in _list_files(staging) if name != MANIFEST}
        text = json.dumps(_with_hashes(manifest, sha256s, staging).to_json(), indent=2)
        (staging / MANIFEST).write_text(text + "\n", encoding="utf-8")
        Bundle.open(staging)
        staging.chmod(0o755)  # a folder of tempfile's is closed to the service's user
        _publish(staging, folder)
    return Bundle.open(folder)


def extend_bundle(bundle: Bundle, files: Mapping[str, bytes], manifest: Manifest) -> Bundle:
    """The bundle with further or other files in it, published in its place. manifest: hashes are computed here."""
    staging = Path(tempfile.mkdtemp(prefix=f".{bundle.folder.name}.", dir=bundle.folder.absolute().parent))
    try:
        shutil.copytree(bundle.folder, staging, dirs_exist_ok=True)
        for name, content in files.items():
            (staging / name).parent.mkdir(parents=True, exist_ok=True)
            (staging / name).write_bytes(content)
        return write_bundle(bundle.folder, staging=staging, manifest=manifest, overwrite=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes as 64 lower-case hexadecimal digits."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with path.open("rb", buffering=0) as file:
        while size := file.readinto(buffer):
            digest.update(buffer[:size])
    return digest.hexdigest()


def has_external_data(onnx_file: Path) -> bool:
    """True where a tensor names another file as the place of its values (onnx.proto, TensorProto.external_data).

    ONNX Runtime 1.23, the last for Python 3.10, opens any such path, even an absolute one. Whatever the encoding, the
    key "location" lies in one piece behind its length, so looking for those bytes misses none.
    """
    tail = b""
    with onnx_file.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            window = tail + chunk
            if b"location" in window and any(key in window for key in _EXTERNAL):  # one pass where there is none
                return True
            tail = window[-len("location") :]
    return False


def _list_files(folder: Path) -> dict[str, int]:
    """Bytes of every file below ``folder``, by its path with "/"; refuses links, devices, and more than the limits."""
    sizes: dict[str, int] = {}
    waiting, seen = [folder], 0
    while waiting:
        for path in waiting.pop().iterdir():
            name, seen = path.relative_to(folder).as_posix(), seen + 1
            if seen > MAX_ENTRIES:
                raise _broken(folder, "", f"more than {MAX_ENTRIES} files and folders")
            if path.is_symlink():
                raise _broken(folder, name, "is a symbolic link", "a file or folder of its own")
            if path.is_dir():
                waiting.append(path)
            elif path.is_file():
                sizes[name] = path.stat().st_size
            else:
                raise _broken(folder, name, "is neither a file nor a folder")
    if sum(sizes.values()) > MAX_BUNDLE_BYTES:
        raise _broken(folder, "", f"{sum(sizes.values()):,} bytes in all", f"at most {MAX_BUNDLE_BYTES:,}")
    return sizes


def _verify(folder: Path, present: set[str], listed: Mapping[str, str]) -> None:
    for name in sorted(listed.keys() - present):
        raise _broken(folder, name, "file is missing", f"it, as {MANIFEST} lists it")
    for name in sorted(present - listed.keys() - {MANIFEST}):
        raise _broken(folder, name, f"file is not listed in {MANIFEST}", "no other file")
    for name, sha256 in listed.items():
        if (found := file_sha256(folder / name)) != sha256:
            raise _broken(folder, name, f"file was changed: its sha256 is {found[:12]}...", f"{sha256[:12]}...")


def _broken(folder: Path, name: str, what: str, expected: str = "") -> IntegrityError:
    hint = _hint(folder, "copy the whole bundle from its source again")
    return IntegrityError(what, where=folder / name, expected=expected, hint=hint)


def _hint(folder: Path, other: str) -> str:
    """What to type: the default bundle comes back with the package, any other as ``other`` says."""
    return "pip install --force-reinstall --no-deps edge-sr" if folder.absolute() == default_bundle() else other


def _with_hashes(manifest: Manifest, sha256s: Mapping[str, str], staging: Path) -> Manifest:
    networks = {}
    for role, network in manifest.networks.items():
        if network.file not in sha256s:
            raise IntegrityError(f"file of the network {role!r} is missing", where=staging / network.file)
        networks[role] = replace(network, sha256=sha256s[network.file])
    others = sha256s.keys() - {network.file for network in networks.values()}
    return replace(manifest, networks=networks, files={name: sha256s[name] for name in sorted(others)})


def _refuse_taken(folder: Path, overwrite: bool) -> None:
    if not os.path.lexists(folder):
        return
    if not overwrite:
        raise UsageError("exists already", where=folder, hint="another name, or --overwrite")
    if folder.is_symlink() or not (folder / MANIFEST).is_file():
        raise UsageError("is not a bundle, so it is not replaced", where=folder, expected="a bundle or a free name")


def _publish(staging: Path, folder: Path) -> None:
    """Rename; an older bundle steps aside first and comes back if the rename fails."""
    retired = folder.with_name(f".{folder.name}.retired")
    shutil.rmtree(retired, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists():
        folder.rename(retired)
    try:
        staging.rename(folder)
    except OSError:
        if retired.exists():
            retired.rename(folder)
        raise
    shutil.rmtree(retired, ignore_errors=True)


@contextmanager
def _faults(what: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        hint = f"ls -ld {where}; df -h {folder.parent}"
        raise EnvironmentFault(f"{what}: {error.strerror or error}", where=where, hint=hint) from error
