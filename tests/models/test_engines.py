"""Which engine runs: the fastest that is sound and fits, else the bundle's own networks, and what to type."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge_sr.artifacts.bundle import Bundle, default_bundle, file_sha256
from edge_sr.artifacts.chain import Chain, Networks, chain_of
from edge_sr.artifacts.engine_entry import Entry
from edge_sr.artifacts.engine_key import EngineKey, Machine
from edge_sr.artifacts.engine_manifest import MANIFEST
from edge_sr.errors import EnvironmentFault
from edge_sr.models import engines
from edge_sr.models.engines import build_command, choose, choose_networks
from tests.engine_entries import KEY, MACHINE, manifest_of, put


@dataclass(frozen=True)
class Backend:
    """As much of one as a key needs."""

    name: str = MACHINE.backend
    version: str = MACHINE.backend_version

    def open(self, artifact: Path) -> None:  # type: ignore[override]
        raise AssertionError("choosing opens nothing")


@pytest.fixture
def chain(fake: Bundle, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """Of the fake bundle, on the machine of the entries."""
    monkeypatch.setattr(engines, "machine_for", lambda backend, facts: MACHINE)
    return chain_of(fake, steps=1)


@pytest.fixture
def key(chain: Chain) -> EngineKey:
    return replace(KEY, chain_sha256=chain.sha256)


def chosen(chain: Chain, precision: str = "auto", told: list[str] | None = None) -> Networks:
    return choose_networks(chain, Backend(), precision=precision, note=([] if told is None else told).append)  # type: ignore[arg-type]


def damage(entry: Entry) -> None:
    (entry.folder / "upscale.ort").write_bytes(b"other")


@pytest.mark.parametrize("precision", ["auto", "fp32"])
def test_without_an_engine_the_bundles_own_run(chain: Chain, precision: str) -> None:
    assert chosen(chain, precision) == Networks.of_bundle(chain)


def test_auto_takes_the_fastest_and_says_where_it_is_from(chain: Chain, key: EngineKey, engine_cache: Path) -> None:
    put(engine_cache, manifest_of(replace(key, precision="fp16"), speedup=1.5))
    fast = put(engine_cache, manifest_of(key, speedup=2.5))
    networks = chosen(chain)
    assert networks.files == {"upscale": fast.folder / "upscale.ort"}
    assert (networks.precision, networks.engine, networks.speedup) == ("int8", fast.name, 2.5)
    assert networks.engine_sha256 == file_sha256(fast.folder / MANIFEST)


@pytest.mark.parametrize("precision", ["fp32", "fp16", "int8"])
def test_a_precision_is_taken_as_asked_for(chain: Chain, key: EngineKey, engine_cache: Path, precision: str) -> None:
    for number, each in enumerate(("fp32", "fp16", "int8")):
        put(engine_cache, manifest_of(replace(key, precision=each), speedup=1.0 + number))
    assert chosen(chain, precision).precision == precision


def test_an_auto_build_serves_as_what_it_became(chain: Chain, key: EngineKey, engine_cache: Path) -> None:
    entry = put(engine_cache, manifest_of(replace(key, precision="auto")))
    assert chosen(chain, "fp16").engine == entry.name
    with pytest.raises(EnvironmentFault):
        chosen(chain, "int8")


def test_a_damaged_engine_is_told_and_the_next_one_taken(chain: Chain, key: EngineKey, engine_cache: Path) -> None:
    sound = put(engine_cache, manifest_of(replace(key, precision="fp16"), speedup=1.5))
    fast = put(engine_cache, manifest_of(key, speedup=2.5))
    damage(fast)
    told: list[str] = []
    assert chosen(chain, told=told).engine == sound.name
    (line,) = told
    assert line.startswith(f"engine {fast.name} is not used: upscale.ort: file was changed")
    assert line.endswith("; try: edge-sr engines prune")
    damage(sound)
    assert chosen(chain) == Networks.of_bundle(chain)


@pytest.mark.parametrize(
    "other",
    [{"chain_sha256": "d" * 64}, {"backend_version": "1.30.0"}, {"instructions": ("avx2",)}, {"build_version": 1}],
)
def test_an_engine_of_something_else_is_none(
    chain: Chain, key: EngineKey, engine_cache: Path, other: dict[str, object]
) -> None:
    put(engine_cache, manifest_of(replace(key, **other)))  # type: ignore[arg-type]
    assert chosen(chain) == Networks.of_bundle(chain)


def test_one_of_a_simulator_is_none(chain: Chain, key: EngineKey, engine_cache: Path) -> None:
    put(engine_cache, manifest_of(key, simulated=True))
    assert chosen(chain).engine == ""


def test_where_the_precision_is_missing_the_fault_says_what_to_type(chain: Chain) -> None:
    with pytest.raises(EnvironmentFault) as caught:
        chosen(chain, "int8")
    assert caught.value.what == "no int8 engine of this model for onnxruntime 1.31.1 on this machine"
    assert caught.value.hint == f"edge-sr build {chain.bundle.folder} --precision int8"


def test_the_command_names_what_differs_from_the_defaults(fake: Bundle) -> None:
    ships = chain_of(Bundle.open(default_bundle()))
    assert build_command(ships) == "edge-sr build --precision auto"
    words = ["--precision", "fp16", "--sampler", "ddpm", "--steps", "7"]
    spaced = chain_of(replace(fake, folder=Path("/my models/chest")), sampler="ddpm", steps=7)
    assert shlex.split(build_command(spaced, "fp16")) == ["edge-sr", "build", "/my models/chest", *words]


# Among backends.

GPU = Machine("tensorrt", "10.3.0, CUDA 12.6", "A board", (), "8.7", 8)


@pytest.fixture
def both(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """The chain on a machine with ONNX Runtime and a GPU."""
    backends = {"onnxruntime": Backend(), "tensorrt": Backend(GPU.backend, GPU.backend_version)}
    machines = {"onnxruntime": MACHINE, "tensorrt": GPU}
    monkeypatch.setattr(engines, "machine_for", lambda backend, facts: machines[backend.name])
    monkeypatch.setattr(engines, "OnnxRuntime", lambda threads, provider: backends["onnxruntime"])
    monkeypatch.setattr(engines, "_tensorrt", lambda note: backends["tensorrt"])
    return chain


def put_both(chain: Chain, cache: Path, *, on_gpu: float) -> None:
    """An engine that is twice as fast on the CPU, and one for the GPU."""
    key = replace(KEY, chain_sha256=chain.sha256)
    put(cache, manifest_of(key, speedup=2.0))
    put(cache, manifest_of(key.on(GPU), speedup=on_gpu))


@pytest.mark.parametrize(("on_gpu", "taken"), [(9.0, "tensorrt"), (1.5, "onnxruntime")])
def test_the_backend_of_the_fastest_engine_is_taken(both: Chain, engine_cache: Path, on_gpu: float, taken: str) -> None:
    put_both(both, engine_cache, on_gpu=on_gpu)
    assert choose(both).backend.name == taken
    for asked in ("onnxruntime", "tensorrt"):
        chosen = choose(both, backend=asked)
        assert chosen.backend.name == asked and f"-{asked}-" in chosen.networks.engine


def test_a_gpu_that_is_gone_is_told_and_the_cpu_taken(
    both: Chain, engine_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(note: object) -> None:
        raise EnvironmentFault("no CUDA device")

    put_both(both, engine_cache, on_gpu=9.0)
    monkeypatch.setattr(engines, "_tensorrt", gone)
    told: list[str] = []
    assert choose(both, note=told.append).backend.name == "onnxruntime"
    assert told == ["its TensorRT engines are not used: no CUDA device"]
    with pytest.raises(EnvironmentFault, match="no CUDA device"):
        choose(both, backend="tensorrt")


def test_the_gpu_is_not_asked_where_no_engine_is_for_it(both: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(note: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(engines, "_tensorrt", asked)
    assert choose(both).networks == Networks.of_bundle(both)
