"""manifest.json of one entry of the engine cache. The format is described in docs/build.md; reading is strict."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from edge_sr import __version__
from edge_sr.artifacts.engine_key import EngineKey, parse_key
from edge_sr.artifacts.strict_json import Fields, short
from edge_sr.errors import IntegrityError

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"
REAL_PRECISIONS = ("fp32", "fp16", "int8")

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")  # entries have no subfolders
_FILE_RULE = "a plain file name such as upscale.engine"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA256_RULE = "64 lower-case hexadecimal digits"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")  # as in the manifest of a bundle


class NewerSchema(IntegrityError):
    """The entry is of a later release: nothing is wrong with it, and this release cannot judge it."""


@dataclass(frozen=True)
class EngineFile:
    """One compiled network. sha256 and bytes are filled in when the entry is published."""

    file: str
    sha256: str = ""
    bytes: int = 0


@dataclass(frozen=True)
class BundleName:
    """The bundle that an engine was made of. sha256: of the bundle's manifest."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True)
class EngineManifest:
    """What an entry says about itself.

    precision: what it really is, which for the key's ``auto`` is one of REAL_PRECISIONS. high: what was kept out of
    INT8. engines: by role. files: sha256 of every other file; filled in when the entry is published, as is created.
    verdict: of the accuracy check, ``passed`` is true. timings: ``speedup`` is how many times as fast as float32 it
    ran, side by side. simulated: the engine was made by a stand-in for the real builder, so its timings mean nothing.

    verdict and timings are free JSON: no NaN or infinity, at most 14 levels deep.
    """

    key: EngineKey
    bundle: BundleName
    precision: str
    engines: Mapping[str, EngineFile]
    verdict: Mapping[str, object]
    timings: Mapping[str, object]
    high: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    simulated: bool = False
    created: str = ""
    code_version: str = __version__

    @property
    def folder_name(self) -> str:
        key = self.key
        parts = (self.bundle.name, key.sampler, key.steps, key.precision, key.backend, key.sha256[:12])
        return "-".join(map(str, parts))

    @property
    def speedup(self) -> float:
        speedup = self.timings["speedup"]
        assert isinstance(speedup, (int, float))
        return float(speedup)

    def hashes(self) -> dict[str, str]:
        """sha256 of every listed file by its name."""
        return {**{engine.file: engine.sha256 for engine in self.engines.values()}, **self.files}

    def to_json(self) -> dict[str, object]:
        """The JSON object that ``parse_engine_manifest`` reads back to an equal manifest."""
        fields = {name: value for name, value in asdict(self).items() if name != "key"}
        whole = {"schema_version": SCHEMA_VERSION, "key": self.key.to_json(), **fields}
        return dict(json.loads(json.dumps(whole, allow_nan=False)))  # tuples become lists


def parse_engine_manifest(raw: object, where: object = MANIFEST) -> EngineManifest:
    """Check every field of the parsed JSON ``raw``. Raises IntegrityError naming the field, its value and the rule,
    NewerSchema where a later release wrote it.
    """
    top = Fields(raw, f"{where}: ")
    _check_schema(top)
    top.only(["schema_version", *EngineManifest.__dataclass_fields__])
    manifest = EngineManifest(
        key=parse_key(top.child("key")),
        bundle=_bundle(top.child("bundle")),
        precision=top.choice("precision", REAL_PRECISIONS),
        engines=_engines(top.child("engines")),
        verdict=_verdict(top.child("verdict")),
        timings=_timings(top.child("timings")),
        high=tuple(top.take("high", "a list of names", _are_names)),
        files=_files(top.child("files")),
        simulated=top.take("simulated", "true or false", lambda value: isinstance(value, bool)),
        created=top.text("created"),
        code_version=top.text("code_version"),
    )
    if set(manifest.engines) != set(manifest.key.roles):
        raise top.unfit("engines", sorted(manifest.engines), "one for each of " + ", ".join(manifest.key.roles))
    _listed_once(manifest, where)
    return manifest


def _check_schema(top: Fields) -> None:
    rule = f"{SCHEMA_VERSION}, the only version that this release reads"
    version = top.take("schema_version", rule, lambda value: type(value) is int and value > 0)
    if version > SCHEMA_VERSION:
        where = f"{top.prefix}schema_version"
        raise NewerSchema(f"got {version}", where=where, expected=rule, hint="pip install --upgrade edge-sr")
    if version < SCHEMA_VERSION:
        raise top.unfit("schema_version", version, rule, "edge-sr engines prune")


def _bundle(raw: Fields) -> BundleName:
    raw.only(BundleName.__dataclass_fields__)
    name = raw.matching("name", _NAME, "lower-case letters, digits, . _ -, at most 64")
    return BundleName(name, raw.text("version"), raw.matching("sha256", _SHA256, _SHA256_RULE))


def _engines(raw: Fields) -> dict[str, EngineFile]:
    return {role: _engine(raw.child(role)) for role in raw.raw}


def _engine(raw: Fields) -> EngineFile:
    raw.only(EngineFile.__dataclass_fields__)
    return EngineFile(
        file=raw.matching("file", _FILE, _FILE_RULE),
        sha256=raw.matching("sha256", _SHA256, _SHA256_RULE),
        bytes=raw.integer("bytes", 0, 1 << 40),
    )


def _verdict(raw: Fields) -> Mapping[str, object]:
    raw.take("passed", "true: only an engine that passed its check is published", lambda value: value is True)
    return raw.raw


def _timings(raw: Fields) -> Mapping[str, object]:
    raw.number("speedup", 0, 1e6)
    return raw.raw


def _files(raw: Fields) -> dict[str, str]:
    for name in raw.raw:
        if not _FILE.fullmatch(name):
            raise IntegrityError(f"got {short(name)}", where=raw.prefix.rstrip("."), expected=_FILE_RULE)
    return {name: raw.matching(name, _SHA256, _SHA256_RULE) for name in raw.raw}


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _listed_once(manifest: EngineManifest, where: object) -> None:
    """The manifest cannot hold its own hash, and a file has one place in it."""
    files = [MANIFEST, *(engine.file for engine in manifest.engines.values()), *manifest.files]
    for file in manifest.hashes():
        if files.count(file) > 1:
            raise IntegrityError(f"{file} is listed twice or is the manifest itself", where=where)
