"""Every name and argument of TensorRT that our code uses, against the real bindings of 10.3.0, 10.16.1 and 11.4.0.

The bindings are the registry's wheels, imported beside stand-in libraries that hold nothing. So this proves that the
names exist and that calls fit them. It does not prove what they do: that takes a board.
"""

from __future__ import annotations

import inspect
import shutil
import sys
from collections.abc import Iterable, Iterator
from enum import EnumMeta
from pathlib import Path
from types import ModuleType

import pytest

from tests.contract.bindings import RELEASES, RegistryUnreachable, cache, failure, list_bindings, wheel
from tests.contract.checker import missing
from tests.contract.listing import Listing, argument, result, signatures
from tests.contract.used_names import CALL, Use, used_names
from tests.sim import tensorrt_run
from tests.sim.machine import Machine

ROOT = Path(__file__).resolve().parents[2]
OUR_FILES = [  # all that use TensorRT in a way that can be followed
    str(path.relative_to(ROOT))
    for room in ("build_engines", "edge_sr")
    for path in sorted((ROOT / room).rglob("*.py"))
    if used_names(path.read_text("utf-8"))
]
NAMES_ONLY = "this checks names and arguments, not behaviour"


def names(listed: str) -> list[str]:
    return listed.split()


# What the code may rely on; what 10 has and 11 has not; what came after 10.3; what went with 8.
EVERYWHERE = names("""
    Builder.create_network Builder.build_serialized_network Builder.create_builder_config
    Builder.create_optimization_profile
    OnnxParser.parse_from_file OnnxParser.get_error OnnxParser.supports_model_v2
    IBuilderConfig.set_memory_pool_limit IBuilderConfig.builder_optimization_level IBuilderConfig.profiling_verbosity
    IBuilderConfig.max_aux_streams IBuilderConfig.create_timing_cache IBuilderConfig.set_timing_cache
    IBuilderConfig.add_optimization_profile IBuilderConfig.progress_monitor
    IProgressMonitor.phase_start IProgressMonitor.step_complete IProgressMonitor.phase_finish
    ICudaEngine.num_io_tensors ICudaEngine.get_tensor_name ICudaEngine.get_tensor_mode ICudaEngine.get_tensor_shape
    ICudaEngine.get_tensor_dtype ICudaEngine.create_engine_inspector ICudaEngine.device_memory_size_v2
    IExecutionContext.set_tensor_address IExecutionContext.set_input_shape IExecutionContext.execute_async_v3
    IExecutionContext.infer_shapes EngineInspector.get_engine_information LayerInformationFormat.JSON
    NetworkDefinitionCreationFlag.STRONGLY_TYPED Runtime.deserialize_cuda_engine MemoryPoolType.WORKSPACE
""")
GONE_IN_11 = names("""
    BuilderFlag.FP16 BuilderFlag.INT8 BuilderFlag.BF16 IInt8Calibrator IInt8EntropyCalibrator2
    IBuilderConfig.int8_calibrator ITensor.set_dynamic_range ILayer.precision
    NetworkDefinitionCreationFlag.EXPLICIT_BATCH Builder.platform_has_fast_fp16 Builder.platform_has_fast_int8
    ICudaEngine.device_memory_size IExecutionContext.all_shape_inputs_specified OnnxParser.supports_model
""")
LATER = names("""
    BuilderFlag.EDITABLE_TIMING_CACHE IBuilderConfig.tiling_optimization_level
    HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY
""")
GONE_SINCE_10 = names("ICudaEngine.num_bindings ICudaEngine.get_binding_name IExecutionContext.execute_async_v2")


@pytest.fixture(scope="module")
def listings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Listing]:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or not compiler:
        pytest.skip("TensorRT's bindings are listed beside stand-in libraries: that takes Linux and a C compiler")
    try:
        for version in RELEASES:
            wheel(version, cache())
    except RegistryUnreachable as error:
        pytest.skip(f"TensorRT's bindings are not in {cache()} and the package registry cannot be reached: {error}")
    return {version: list_bindings(version, tmp_path_factory.mktemp(version), compiler) for version in RELEASES}


def uses(names: Iterable[str]) -> list[Use]:
    return [Use(tuple(name.split(".")), line) for line, name in enumerate(names, start=1)]


# our code


@pytest.mark.parametrize("file", OUR_FILES)
def test_our_code_uses_what_all_versions_have(file: str, listings: dict[str, Listing]) -> None:
    lines = missing(used_names((ROOT / file).read_text("utf-8")), listings, file=file)
    assert not lines, "\n".join([*lines, NAMES_ONLY])


@pytest.mark.parametrize(
    ("file", "uses"),
    [
        (
            "build_engines/targets/compile_trt.py",
            "build_serialized_network parse_from_file set_timing_cache step_complete",
        ),
        ("edge_sr/backends/trt/library.py", "log"),
        ("edge_sr/backends/trt/ports.py", "deserialize_cuda_engine get_tensor_profile_shape"),
        ("edge_sr/backends/trt/slot.py", "execute_async_v3 set_tensor_address set_input_shape infer_shapes"),
    ],
)
def test_our_code_is_written_so_that_it_can_be_followed(file: str, uses: str) -> None:
    assert file in OUR_FILES
    assert set(names(uses)) <= {use.path[-1] for use in used_names((ROOT / file).read_text("utf-8"))}


SAMPLE = """
from __future__ import annotations

def build(path):
    import tensorrt as trt

    class Progress(trt.IProgressMonitor):
        def __init__(self):
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, phase_name, parent_phase, num_steps):
            self._draw(phase_name)

        def _draw(self, name): ...

    logger = trt.Logger(trt.Logger.WARNING)
    builder = trt.Builder(logger)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(path)):
        error: trt.ParserError = parser.get_error(parser.num_errors - 1)
        raise ValueError(error.desc())
    config = builder.create_builder_config()
    config.progress_monitor = Progress()
    config.set_memory_pool_limit(pool=trt.MemoryPoolType.WORKSPACE, pool_size=1 << 30)
    if hasattr(config, "tiling_optimization_level"):
        config.tiling_optimization_level = trt.TilingOptimizationLevel.NONE
    profile = builder.create_optimization_profile()
    profile.set_shape("lr", min=(1, 1, 64, 64), opt=(4, 1, 64, 64), max=(8, 1, 64, 64))
    return builder.build_serialized_network(network, config)

class Session:
    engine: trt.ICudaEngine

    def __init__(self, engine: trt.ICudaEngine | None):
        self.engine = engine
        self.context = self.engine.create_execution_context()

    def names(self):
        return [self.engine.get_tensor_name(i) for i in range(self.engine.num_io_tensors)]

    def inspect(self) -> trt.EngineInspector:
        return self.engine.create_engine_inspector()

    def information(self):
        return self.inspect().get_engine_information(trt.LayerInformationFormat.JSON)

    def run(self, stream):
        return self.context.execute_async_v3(stream_handle=stream)
"""


def test_a_sample_like_our_code_is_followed() -> None:
    found = {use.path for use in used_names(SAMPLE)}
    builder, config = ("Builder", CALL), ("Builder", CALL, "create_builder_config", CALL)
    assert {
        ("IProgressMonitor", "phase_start"),
        ("Logger", "WARNING"),
        ("NetworkDefinitionCreationFlag", "STRONGLY_TYPED"),
        (*builder, "create_network"),
        ("OnnxParser", CALL, "get_error"),
        ("ParserError", CALL, "desc"),
        (*config, "progress_monitor"),
        (*config, "tiling_optimization_level"),
        (*builder, "create_optimization_profile", CALL, "set_shape"),
        ("ICudaEngine", CALL, "create_execution_context", CALL, "execute_async_v3"),
        ("ICudaEngine", CALL, "num_io_tensors"),
        ("EngineInspector", CALL, "get_engine_information"),
    } <= found
    assert not [path for path in found if "_draw" in path or "tensorrt" in path]
    [limit] = [use for use in used_names(SAMPLE) if use.path[-1] == "set_memory_pool_limit" and use.keywords]
    assert (limit.keywords, limit.positional) == (("pool", "pool_size"), 0)


def test_a_sample_like_our_code_passes_but_for_what_only_later_versions_have(listings: dict[str, Listing]) -> None:
    line = SAMPLE.splitlines().index("        config.tiling_optimization_level = trt.TilingOptimizationLevel.NONE") + 1
    assert (
        missing(used_names(SAMPLE), listings, file="sample.py")
        == [f"sample.py:{line}: trt.TilingOptimizationLevel is missing in TensorRT 10.3.0"] * 2
    )  # the class, and its member


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("create_network(1 <<", "create_network(name=1 <<", "trt.Builder.create_network has no argument name"),
        ("pool=trt.", "kind=trt.", "trt.IBuilderConfig.set_memory_pool_limit has no argument kind"),
        ("execute_async_v3", "execute_async_v2", "trt.IExecutionContext.execute_async_v2 is missing"),
        ("self.engine.num_io_tensors", "self.engine.num_bindings", "trt.ICudaEngine.num_bindings is missing"),
        ("stream_handle=stream", "stream, None", "trt.IExecutionContext.execute_async_v3 takes 1 arguments, not 2"),
        ("OnnxParser(network, logger)", "OnnxParser(network)", "trt.OnnxParser needs the argument logger"),
        ("def phase_start", "def phase_begin", "trt.IProgressMonitor.phase_begin is missing"),
        ("trt.Logger.WARNING", "trt.Logger.WARN", "trt.Logger.WARN is missing"),
        ("error.desc()", "error.text()", "trt.ParserError.text is missing"),
    ],
)
def test_a_planted_name_is_missing_everywhere(old: str, new: str, told: str, listings: dict[str, Listing]) -> None:
    assert old in SAMPLE
    lines = missing(used_names(SAMPLE.replace(old, new)), listings, file="sample.py")
    assert any(line.endswith(f": {told} in TensorRT 10.3.0, 10.16.1, 11.4.0") for line in lines), lines


# the simulator


def test_the_simulator_has_the_names_and_arguments_of_all_versions(listings: dict[str, Listing]) -> None:
    simulated = tensorrt_run.make_module(Machine())
    lines = missing(offered(simulated), listings)
    assert not lines, "\n".join(lines)


def offered(module: ModuleType) -> Iterator[Use]:
    """Everything a simulated module offers, as if it were called with each of its arguments by name."""
    for name, member in vars(module).items():
        if name.startswith("_"):
            continue
        yield Use((name,), 0)
        for inner, value in vars(member).items() if isinstance(member, type) else ():
            if inspect.isfunction(value) and not inner.startswith("_"):
                yield Use((name, inner), 0, tuple(inspect.signature(value).parameters)[1:], 0)
            elif not inner.startswith("_") and not isinstance(member, EnumMeta):
                yield Use((name, inner), 0)
        if isinstance(member, EnumMeta):
            yield from (Use((name, value), 0) for value in member.__members__)


def test_a_name_that_only_the_simulator_has_would_show(listings: dict[str, Listing]) -> None:
    module = ModuleType("tensorrt")
    module.Runtime = type("Runtime", (), {"load_quickly": lambda self, file: None})  # type: ignore[attr-defined]
    assert len(missing(offered(module), listings)) == 1


# the table of names


def test_what_the_code_may_rely_on_exists_in_all_versions(listings: dict[str, Listing]) -> None:
    lines = missing(uses(EVERYWHERE), listings)
    assert not lines, "\n".join([*lines, NAMES_ONLY])


def test_what_is_gone_in_11_is_missing_there_alone(listings: dict[str, Listing]) -> None:
    for use in uses(GONE_IN_11):
        [line] = missing([use], listings)
        assert line.endswith(f"trt.{'.'.join(use.path)} is missing in TensorRT 11.4.0")


def test_what_came_later_is_missing_in_10_3_alone(listings: dict[str, Listing]) -> None:
    for use in uses(LATER):
        [line] = missing([use], listings)
        assert line.endswith(" is missing in TensorRT 10.3.0")


def test_what_went_with_8_is_missing_everywhere(listings: dict[str, Listing]) -> None:
    for use in uses(GONE_SINCE_10):
        [line] = missing([use], listings)
        assert line.endswith(" is missing in TensorRT 10.3.0, 10.16.1, 11.4.0")


def test_the_listings_are_whole(listings: dict[str, Listing]) -> None:
    for version, listing in listings.items():
        assert listing["Builder"]["kind"] == "class" and listing["BuilderFlag"]["kind"] == "class"
        assert len(listing) > 1000, version


# the extractor, the listing and the checker, without the bindings

LISTING: Listing = {
    "Engine": {"kind": "class", "type": "Engine", "signatures": [[["path", False], ["level", True]]]},
    "Engine.context": {"kind": "callable", "type": "Context", "signatures": [[], [["config", True]]]},
    "Engine.size": {"kind": "property", "type": "", "signatures": []},
    "Engine.log": {"kind": "property", "type": "Log", "signatures": []},
    "Log": {"kind": "class", "type": "Log", "signatures": []},
    "Context": {"kind": "class", "type": "Context", "signatures": []},
    "Context.run": {"kind": "callable", "type": "", "signatures": [[["*args", False]]]},
}
OLDER = {name: entry for name, entry in LISTING.items() if name != "Engine.log"}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("e = trt.Engine('a', level=1); e.context().run(1, 2, x=3); e.context(config=1); e.size.bits", ""),
        ("e = trt.Engine('a')\ne.sise", "2: trt.Engine.sise is missing in TensorRT new, old"),
        ("e = trt.Engine('a')\ne.log", "2: trt.Engine.log is missing in TensorRT old"),
        ("def f(e: trt.Engine):\n  e.log.text", "2: trt.Log.text is missing in TensorRT new"),
        ("def f(e: 'trt.Engine | None'):\n  e.sise", "2: trt.Engine.sise is missing"),
        ("with trt.Engine('a') as e:\n  e.context().runs()", "2: trt.Context.runs is missing"),
        ("from tensorrt import Engines", "1: trt.Engines is missing"),
        ("from tensorrt import Engine\nEngine('a').sise", "2: trt.Engine.sise is missing"),
        ("trt.Engine()", "1: trt.Engine needs the argument path"),
        ("trt.Engine('a', 1, 2)", "1: trt.Engine takes 2 arguments, not 3"),
        ("trt.Engine('a', depth=1)", "1: trt.Engine has no argument depth"),
        ("trt.Engine(*words, **more)", ""),
        ("e = trt.Engine('a'); e = other(); e.sise", ""),
        ("def make() -> trt.Engine: ...\nmake().sise", "2: trt.Engine.sise is missing"),
        ("class A:\n  def f(self): self.e.sise\n  def __init__(self): self.e = trt.Engine('a')", "2: trt.Engine.sise"),
        ("e = trt.Engine('a')\nif hasattr(e, 'log'):\n  e.log", ""),
        ("e = trt.Engine('a')\ngetattr(e, 'log', None)", ""),
        ("e = trt.Engine('a')\ngetattr(e, 'log')", "2: trt.Engine.log is missing in TensorRT old"),
        ("e = trt.Engine('a')\nhasattr(e, 'sise')", "2: trt.Engine.sise is missing in TensorRT new, old"),
        ("async def f(trt, e: trt.Engine):\n  e.sise", "2: trt.Engine.sise is missing"),
    ],
)
def test_uses_are_read_from_the_source_and_checked(source: str, told: str) -> None:
    lines = missing(used_names(source), {"new": LISTING, "old": OLDER})
    assert any(f":{told}" in line for line in lines) if told else not lines, lines


def test_signatures_are_read_from_docstrings() -> None:
    doc = "set(self: m.tensorrt.A, pool: B = <B.X: (1, 2)>, shape: List[Tuple[int, int]]) -> m.tensorrt.C\n\n  Text"
    assert signatures("set", doc) == [[["pool", True], ["shape", False]]]
    assert result(doc) == "C"
    overloads = "f(*args, **kwargs)\nOverloaded function.\n\n1. f(self: A) -> int\n\n2. f(self: A, x: int) -> str"
    assert signatures("f", overloads) == [[], [["x", False]]]
    assert (result(overloads), result("(self: A) -> m.tensorrt.ILogger.Severity"), result(None)) == (
        "",
        "ILogger.Severity",
        "",
    )
    assert argument("**kwargs") == ["**kwargs", False]


def test_a_registry_out_of_reach_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(RegistryUnreachable, match="pip download tensorrt_cu12_bindings==10.3.0: .*No matching"):
        wheel("10.3.0", tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("ERROR: Could not find a version that satisfies a==1.2 (from versions: 1.0, 1.1)", LookupError),
        ("ERROR: Could not find a version that satisfies a==1.2 (from versions: none)", RegistryUnreachable),
        ("/usr/bin/python3: No module named pip", RegistryUnreachable),
        ("", RegistryUnreachable),
    ],
)
def test_a_withdrawn_release_is_no_reason_to_skip(told: str, kind: type[Exception]) -> None:
    assert type(failure("a==1.2", told)) is kind


def test_a_wheel_in_the_cache_needs_no_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    there = tmp_path / f"tensorrt_cu13_bindings-11.4.0.106-{python}-none-manylinux_2_28_x86_64.whl"
    there.touch()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert wheel("11.4.0", tmp_path) == there
