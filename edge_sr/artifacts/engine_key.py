"""What an engine was made of and for: two builds with one key are interchangeable, two with different ones are not.

The key stands in clear in every entry of the engine cache, so a miss can be explained part by part.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import NamedTuple, Protocol

from edge_sr.artifacts.families import FAMILIES, FEEDFORWARD
from edge_sr.artifacts.manifest import SAMPLERS
from edge_sr.artifacts.strict_json import Fields
from edge_sr.device.facts import DeviceFacts

BUILD_VERSION = 2  # raised with every change of the build after which older engines must not be used any more
PRECISIONS = ("fp32", "fp16", "int8", "auto")
BACKENDS = ("onnxruntime", "tensorrt")
ROLES = ("upscale", *dict.fromkeys(role for family in FAMILIES.values() for role in family.networks))
NOT_SET = "not set"

Option = str | int | float | bool
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SHA256_RULE = "64 lower-case hexadecimal digits"


class Difference(NamedTuple):
    """One part of two keys that differs; mine and theirs as text."""

    part: str
    mine: str
    theirs: str


class NamedBackend(Protocol):
    """The part of a backend that a key needs."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...


@dataclass(frozen=True)
class Machine:
    """The part of a key that comes from the machine and the backend on it.

    device: model of the GPU, of the board or of the processor. instructions: vector instructions, sorted; () on a GPU.
    compute_capability: such as "8.7", "" on a CPU. sm_count: of the GPU, 0 on a CPU.
    """

    backend: str
    backend_version: str
    device: str
    instructions: tuple[str, ...] = ()
    compute_capability: str = ""
    sm_count: int = 0


@dataclass(frozen=True)
class EngineKey:
    """Everything that decides whether an engine may be used.

    precision: what was asked for. batch: smallest, best and largest. options: of the builder.
    calibration_sha256: "" where no calibration table was used.
    """

    chain_sha256: str
    sampler: str
    steps: int
    roles: tuple[str, ...]
    precision: str
    tile: int
    batch: tuple[int, int, int]
    backend: str
    backend_version: str
    device: str
    instructions: tuple[str, ...] = ()
    compute_capability: str = ""
    sm_count: int = 0
    calibration_sha256: str = ""
    options: Mapping[str, Option] = field(default_factory=dict, hash=False)
    build_version: int = BUILD_VERSION

    @property
    def machine(self) -> Machine:
        return Machine(**{each.name: getattr(self, each.name) for each in fields(Machine)})

    @property
    def sha256(self) -> str:
        """Of the canonical JSON: sorted, without spaces, ASCII."""
        text = json.dumps(self.to_json(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def on(self, machine: Machine) -> EngineKey:
        """The key of the same build by this release on ``machine``; this one where the engine may run there."""
        parts = {each.name: getattr(machine, each.name) for each in fields(Machine)}
        return replace(self, **parts, build_version=BUILD_VERSION)

    def serves(self, machine: Machine) -> bool:
        """Whether this release may run the engine on this machine."""
        return not self.difference(self.on(machine))

    def difference(self, other: EngineKey) -> list[Difference]:
        """The parts that differ, each option a part of its own; [] for interchangeable engines."""
        mine, theirs = self._parts(), other._parts()
        names = [*mine, *(name for name in theirs if name not in mine)]
        pairs = ((name, mine.get(name, NOT_SET), theirs.get(name, NOT_SET)) for name in names)
        return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]

    def _parts(self) -> dict[str, str]:
        flat = {name: value for name, value in asdict(self).items() if name != "options"}
        flat |= {f"options.{name}": self.options[name] for name in sorted(self.options)}
        return {name: _as_text(value) for name, value in flat.items()}

    def to_json(self) -> dict[str, object]:
        """The JSON object that ``parse_key`` reads back to an equal key."""
        raw = asdict(self) | {"options": {name: self.options[name] for name in sorted(self.options)}}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in raw.items()}


def _as_text(value: object) -> str:
    """As a person reads it. JSON tells 1 from true and from 1.0, which == does not."""
    if isinstance(value, str):
        return value or "none"
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or "none"
    return json.dumps(value)


def machine_for(backend: NamedBackend, facts: DeviceFacts) -> Machine:
    """This machine, as the engines of ``backend`` depend on it."""
    # getattr: a backend that runs on a GPU describes it by these three; a CPU's has nothing to add to the facts.
    compute_capability = str(getattr(backend, "compute_capability", ""))
    if compute_capability:
        return Machine(
            backend=backend.name,
            backend_version=backend.version,
            device=str(getattr(backend, "device", "")),
            compute_capability=compute_capability,
            sm_count=int(getattr(backend, "sm_count", 0)),
        )
    device = facts.board or facts.cpu_model or facts.machine
    return Machine(backend.name, backend.version, device, tuple(sorted(facts.instructions or ())))


def parse_key(raw: Fields) -> EngineKey:
    """Check every part. Raises IntegrityError naming the part, its value and the rule."""
    raw.only(EngineKey.__dataclass_fields__)
    batch = raw.take("batch", "three sizes from 1 on: smallest, best, largest", _is_batch)
    return EngineKey(
        chain_sha256=raw.matching("chain_sha256", _SHA256, _SHA256_RULE),
        sampler=raw.choice("sampler", (*SAMPLERS, FEEDFORWARD)),
        steps=raw.integer("steps", 1, 10_000),
        roles=tuple(raw.take("roles", "a list of " + ", ".join(ROLES), _are_roles)),
        precision=raw.choice("precision", PRECISIONS),
        tile=raw.integer("tile", 8, 4096),
        batch=(batch[0], batch[1], batch[2]),
        backend=raw.choice("backend", BACKENDS),
        backend_version=raw.text("backend_version"),
        device=raw.text("device"),
        instructions=tuple(raw.take("instructions", "a list of names", _are_names)),
        compute_capability=str(raw.take("compute_capability", 'such as "8.7", or ""', _is_line)),
        sm_count=raw.integer("sm_count", 0, 10_000),
        calibration_sha256=str(raw.take("calibration_sha256", f'{_SHA256_RULE}, or ""', _is_sha256_or_empty)),
        options=_options(raw.child("options")),
        build_version=raw.integer("build_version", 1, 1_000_000),
    )


def _options(raw: Fields) -> dict[str, Option]:
    rule = "text, a number, true or false"
    return {name: raw.take(name, rule, lambda v: _is_line(v) or type(v) in (int, float, bool)) for name in raw.raw}


def _is_line(value: object) -> bool:
    return isinstance(value, str) and len(value) <= 2000 and (value.isprintable() or not value)


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) and 0 < len(name) <= 64 for name in value)


def _are_roles(value: object) -> bool:
    return _are_names(value) and isinstance(value, list) and bool(value) and set(value) <= set(ROLES)


def _is_batch(value: object) -> bool:
    if not isinstance(value, list) or len(value) != 3 or any(type(size) is not int for size in value):
        return False
    return bool(1 <= value[0] <= value[1] <= value[2])


def _is_sha256_or_empty(value: object) -> bool:
    return isinstance(value, str) and (not value or _SHA256.fullmatch(value) is not None)
