"""manifest.json: what a bundle says about itself. The format is described in docs/bundle.md.

Reading is strict: a field that is missing, unknown or of another type or range is refused by name. A reader that
skipped what it does not know could run a network in another way than its author meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from edge_sr.artifacts.families import FAMILIES, FEEDFORWARD
from edge_sr.artifacts.strict_json import Fields, short
from edge_sr.errors import IntegrityError
from edge_sr.tensors import TensorSpec

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
DEGRADATIONS = ("area", "cubic", "bicubic", "bicubic-blur", "high-order")
BETA_SCHEDULES = ("linear", "cosine")
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
SAMPLERS = ("ddpm", "ddim", "dpmsolver++")
COMPOSED_SAMPLERS = ("ddim", "dpmsolver++")  # as a default written into upscale.onnx; ddpm needs noise at every step
DTYPES = ("float32", "float16", "int64", "int32", "int8", "uint8", "bool")
MAX_SEED = 2**53 - 1  # RFC 8259 section 6: larger integers do not survive every JSON reader

_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")  # no "..", no "\", never absolute
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+[a-z0-9.+-]{0,32}")
_ONNX = re.compile(_FILE.pattern + r"\.onnx")  # by another ending ONNX Runtime takes it for another format
_FILE_RULE = "a path inside the bundle such as onnx/encoder.onnx"


@dataclass(frozen=True)
class InputSpec:
    """The LR picture the networks were trained for. tile: side in LR pixels; degradation: how LR was made from HR."""

    channels: int
    degradation: str
    tile: int
    range: tuple[float, float] = (0, 1)


@dataclass(frozen=True)
class DiffusionSpec:
    """The noise schedule of the training. latent_stride: LR pixels per latent position, along each side."""

    num_train_timesteps: int
    beta_schedule: str
    beta_start: float
    beta_end: float
    rescale_betas_zero_snr: bool
    prediction_type: str
    latent_channels: int
    latent_stride: int


@dataclass(frozen=True)
class SamplerDefaults:
    """What runs when nothing else is asked for, and what is written into the composed graph."""

    name: str
    num_inference_steps: int
    fidelity: float
    seed: int


@dataclass(frozen=True)
class CalibrationFile:
    """A table of activation ranges, for INT8 builds with this sampler and number of steps (FEEDFORWARD and 1: of none).

    file: a path inside the bundle, listed in ``files`` too. checked: what builds from it scored against ground truth.
    """

    sampler: str
    steps: int
    file: str
    checked: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkFile:
    """One ONNX file. sha256 is "" until ``write_bundle`` fills it in."""

    file: str
    opset: int
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    sha256: str = ""


@dataclass(frozen=True)
class Manifest:
    """A whole manifest. files: sha256 of every file that is neither a network nor the manifest itself."""

    name: str
    version: str
    family: str
    scale: int
    input: InputSpec
    networks: Mapping[str, NetworkFile]
    intended_use: str
    diffusion: DiffusionSpec | None = None
    sampler: SamplerDefaults | None = None
    calibration: tuple[CalibrationFile, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    evaluation: Mapping[str, object] = field(default_factory=dict)
    provenance: Mapping[str, object] = field(default_factory=dict)

    def hashes(self) -> dict[str, str]:
        """sha256 of every listed file, by its path inside the bundle."""
        return {**{net.file: net.sha256 for net in self.networks.values()}, **self.files}

    def to_json(self) -> dict[str, object]:
        """The JSON object that ``parse_manifest`` reads back to an equal manifest."""
        fields = {"format_version": FORMAT_VERSION, **asdict(self)}
        present = {name: value for name, value in fields.items() if value is not None}
        return dict(json.loads(json.dumps(present, allow_nan=False)))  # tuples become lists


def parse_manifest(raw: object, where: object = MANIFEST) -> Manifest:
    """Check every field of the parsed JSON ``raw``. Raises IntegrityError naming the field, its value and the rule."""
    top = Fields(raw, f"{where}: ")
    version = top.take("format_version", str(FORMAT_VERSION), lambda value: True)
    if type(version) is not int or version != FORMAT_VERSION:
        rule = f"{FORMAT_VERSION}, the only version that this release reads"
        raise top.unfit("format_version", version, rule, "pip install --upgrade edge-sr")
    family = top.choice("family", tuple(FAMILIES))
    diffuses = FAMILIES[family].diffuses
    names = ["format_version", *Manifest.__dataclass_fields__]
    top.only(names if diffuses else [name for name in names if name not in ("diffusion", "sampler")])
    diffusion = _diffusion(top.child("diffusion")) if diffuses else None
    sampler = _sampler(top.child("sampler"), diffusion.num_train_timesteps) if diffusion else None
    manifest = Manifest(
        name=top.matching("name", _NAME, "lower-case letters, digits, . _ -, at most 64"),
        version=top.matching("version", _VERSION, "a version such as 0.1.0"),
        family=family,
        scale=top.integer("scale", 2, 8),
        input=_input(top.child("input"), diffusion.latent_stride if diffusion else 1),
        diffusion=diffusion,
        sampler=sampler,
        networks=_networks(top.child("networks"), roles_of(family, sampler)),
        calibration=_calibration(top, diffusion.num_train_timesteps if diffusion else 0),
        files=_files(top.child("files")),
        evaluation=top.child("evaluation").raw,
        provenance=top.child("provenance").raw,
        intended_use=top.text("intended_use"),
    )
    _listed_once(manifest, where)
    return manifest


def roles_of(family: str, sampler: SamplerDefaults | None) -> tuple[str, ...]:
    """The networks of a bundle: all of its family, and the composed graph where its sampler can be one."""
    composed = sampler is not None and sampler.name in COMPOSED_SAMPLERS
    return (*FAMILIES[family].networks, *(("upscale",) if composed else ()))


def _input(fields: Fields, latent_stride: int) -> InputSpec:
    fields.only(["channels", "range", "degradation", "tile"])
    fields.take("range", "[0, 1]", lambda value: repr(value) in ("[0, 1]", "[0.0, 1.0]"))
    tile = fields.integer("tile", 8, 4096)
    if tile % latent_stride:
        raise fields.unfit("tile", tile, f"a multiple of diffusion.latent_stride, {latent_stride}")
    return InputSpec(fields.choice("channels", (1, 3)), fields.choice("degradation", DEGRADATIONS), tile)


def _diffusion(fields: Fields) -> DiffusionSpec:
    fields.only(DiffusionSpec.__dataclass_fields__)
    beta_start = fields.number("beta_start", 0, 1)
    spec = DiffusionSpec(
        num_train_timesteps=fields.integer("num_train_timesteps", 1, 10_000),
        beta_schedule=fields.choice("beta_schedule", BETA_SCHEDULES),
        beta_start=beta_start,
        beta_end=fields.number("beta_end", beta_start, 1),
        rescale_betas_zero_snr=fields.take("rescale_betas_zero_snr", "true or false", lambda v: isinstance(v, bool)),
        prediction_type=fields.choice("prediction_type", PREDICTION_TYPES),
        latent_channels=fields.integer("latent_channels", 1, 256),
        latent_stride=fields.integer("latent_stride", 1, 64),
    )
    if spec.rescale_betas_zero_snr and spec.prediction_type == "epsilon":  # arXiv 2305.08891 section 3.2
        raise fields.unfit("prediction_type", "epsilon", "sample or v_prediction, as rescale_betas_zero_snr is true")
    return spec


def _sampler(fields: Fields, num_train_timesteps: int) -> SamplerDefaults:
    fields.only(SamplerDefaults.__dataclass_fields__)
    return SamplerDefaults(
        name=fields.choice("name", SAMPLERS),
        num_inference_steps=fields.integer("num_inference_steps", 1, num_train_timesteps),
        fidelity=fields.number("fidelity", 0, 1),
        seed=fields.integer("seed", 0, MAX_SEED),
    )


def _networks(fields: Fields, roles: tuple[str, ...]) -> dict[str, NetworkFile]:
    fields.only(roles)
    return {role: _network(fields.child(role)) for role in roles}


def _network(fields: Fields) -> NetworkFile:
    fields.only(NetworkFile.__dataclass_fields__)
    return NetworkFile(
        file=fields.matching("file", _ONNX, _FILE_RULE),
        sha256=fields.matching("sha256", _SHA256, "64 lower-case hexadecimal digits"),
        opset=fields.integer("opset", 19, 20),
        inputs=_tensors(fields, "inputs"),
        outputs=_tensors(fields, "outputs"),
    )


def _tensors(fields: Fields, name: str) -> tuple[TensorSpec, ...]:
    raw = fields.take(name, "a list of tensors", lambda value: isinstance(value, list) and value)
    specs = tuple(_tensor(Fields(each, f"{fields.prefix}{name}[{n}].")) for n, each in enumerate(raw))
    if len({spec.name for spec in specs}) < len(specs):
        raise fields.unfit(name, [spec.name for spec in specs], "every name once")
    return specs


def _tensor(fields: Fields) -> TensorSpec:
    fields.only(TensorSpec.__dataclass_fields__)
    shape = fields.take("shape", "a list of sizes (from 1) and names of free axes", _is_shape)
    return TensorSpec(fields.text("name"), tuple(shape), fields.choice("dtype", DTYPES))


def _is_shape(value: object) -> bool:
    if not isinstance(value, list):
        return False
    return all(axis.isidentifier() if isinstance(axis, str) else type(axis) is int and axis > 0 for axis in value)


def _calibration(top: Fields, num_train_timesteps: int) -> tuple[CalibrationFile, ...]:
    raw = top.take("calibration", "a list of calibration tables", lambda value: isinstance(value, list))
    tables = [Fields(each, f"{top.prefix}calibration[{n}].") for n, each in enumerate(raw)]
    return tuple(_calibration_file(fields, num_train_timesteps) for fields in tables)


def _calibration_file(fields: Fields, num_train_timesteps: int) -> CalibrationFile:
    fields.only(CalibrationFile.__dataclass_fields__)
    return CalibrationFile(
        sampler=fields.choice("sampler", SAMPLERS if num_train_timesteps else (FEEDFORWARD,)),
        steps=fields.integer("steps", 1, num_train_timesteps or 1),
        file=fields.matching("file", _FILE, "a path inside the bundle such as calibration/ddim-1.json"),
        checked=fields.child("checked").raw,
    )


def _files(fields: Fields) -> dict[str, str]:
    for name in fields.raw:
        if not _FILE.fullmatch(name):
            raise IntegrityError(f"got {short(name)}", where=fields.prefix.rstrip("."), expected=_FILE_RULE)
    return {name: fields.matching(name, _SHA256, "64 lower-case hexadecimal digits") for name in fields.raw}


def _listed_once(manifest: Manifest, where: object) -> None:
    """The manifest cannot hold its own hash, a file has one place in it, and every table is a file."""
    for table in manifest.calibration:
        if table.file not in manifest.files:
            raise IntegrityError(f"{table.file} is not listed", where=f"{where}: files", expected="every table")
    files = [MANIFEST, *(net.file for net in manifest.networks.values()), *manifest.files]
    for file in manifest.hashes():
        if files.count(file) > 1:
            raise IntegrityError(f"{file} is listed twice or is the manifest itself", where=where)
