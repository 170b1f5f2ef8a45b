"""Every rule finds the fault that is planted for it, and finds nothing in graphs that have none."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="graphs are written with onnx")

from onnx import helper, numpy_helper  # noqa: E402

from build_engines.lint import as_json, as_text, counts, lint, passes  # noqa: E402
from build_engines.lint.__main__ import main  # noqa: E402
from build_engines.lint.rules import RULES, SEVERITIES  # noqa: E402
from build_engines.lint.tensorrt_versions import LATER, OLDEST, VERSIONS  # noqa: E402
from build_engines.quantize import insert_qdq, placement  # noqa: E402
from edge_sr.artifacts.bundle import default_bundle  # noqa: E402
from edge_sr.errors import UsageError  # noqa: E402
from tests.build_engines.quantisable import composed, exact_ranges  # noqa: E402

Model = "onnx.ModelProto"
Captured = pytest.CaptureFixture[str]
half, int8 = np.float16, np.int8

# INT8 convolutions in an FP16 graph with all that TensorRT wants: a residual sum, a Concat, both weight axes.
SOUND = """<ir_version: 9, opset_import: ["" : 20]>
sound (float16[N,32,8,8] x) => (float16[N,64,8,8] y) {
  xq = QuantizeLinear(x, s1, zero) xd = DequantizeLinear(xq, s1, zero)
  wq = QuantizeLinear<axis=0>(w, s32, zeros) wd = DequantizeLinear<axis=0>(wq, s32, zeros)
  conv = Conv<pads=[1,1,1,1]>(xd, wd, bias)
  skip = DequantizeLinear(xq, s1, zero)
  sum = Add(skip, conv) relu = Relu(sum)
  rq = QuantizeLinear(relu, s2, zero) rd = DequantizeLinear(rq, s2, zero)
  pool = MaxPool<kernel_shape=[2,2], strides=[2,2]>(rd)
  vd = DequantizeLinear<axis=1>(v, s32, zeros)
  up = ConvTranspose<strides=[2,2]>(pool, vd, bias)
  uq = QuantizeLinear(up, s2, zero) ud = DequantizeLinear(uq, s2, zero)
  cat = Concat<axis=1>(ud, rd)
  mean = ReduceMean(cat, axes) free = Sub(cat, mean)
  y = Clip(free, low, high)
}"""
RNG = np.random.default_rng(0)
CONSTANTS = {
    "s1": half(0.02), "s2": half(0.03), "zero": int8(0), "s32": np.full(32, 0.01, half), "zeros": np.zeros(32, int8),
    "w": RNG.normal(0, 0.3, (32, 32, 3, 3)).astype(half), "v": RNG.integers(-127, 128, (32, 32, 2, 2)).astype(int8),
    "bias": np.zeros(32, half), "axes": np.array([2, 3]), "low": half(0), "high": half(1),
}  # fmt: skip


@dataclass
class Fault:
    """A change to the sound graph. where, what: of the finding that it must lead to. also: rules that it breaks too."""

    rule: str
    where: str
    what: str
    edits: dict[str, str] = field(default_factory=dict)
    constants: dict[str, np.ndarray | np.generic] = field(default_factory=dict)
    mutate: Callable[[Model], object] = lambda model: None
    also: frozenset[str] = frozenset()

    def model(self) -> Model:
        text = SOUND
        for old, new in self.edits.items():
            assert old in text, f"nothing to edit: {old}"
            text = text.replace(old, new)
        model = onnx.parser.parse_model(text)
        for node in model.graph.node:
            node.name = node.output[0]
        read = {name for node in model.graph.node for name in node.input}
        constants = {name: value for name, value in {**CONSTANTS, **self.constants}.items() if name in read}
        model.graph.initializer.extend(numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items())
        self.mutate(model)
        return model


def point_outside(model: Model) -> None:
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "w")
    onnx.external_data_helper.set_external_data(weight, "w.bin")
    weight.ClearField("raw_data")


def reverse(model: Model) -> None:
    nodes = list(model.graph.node)[::-1]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def set_ir(version: int) -> Callable[[Model], None]:
    return lambda model: setattr(model, "ir_version", version)


def add_import(domain: str) -> Callable[[Model], object]:
    return lambda model: model.opset_import.append(helper.make_opsetid(domain, 1))


def add_sequence(model: Model) -> None:
    item = helper.make_tensor_type_proto(onnx.TensorProto.FLOAT16, [1])
    model.graph.input.append(helper.make_value_info("many", helper.make_sequence_type_proto(item)))


LAST = "y = Clip(free, low, high)"  # where a further node is put
ROUNDED = "cq = QuantizeLinear(conv, s1, zero) cd = DequantizeLinear(cq, s1, zero)"
SINGLE = {name: np.asarray(value, np.float32) for name, value in CONSTANTS.items() if value.dtype == half}
FAULTS = [
    Fault("external-data", "w", "another file", mutate=point_outside),
    Fault("ir-version", "sound", "IR version 11, above 10", mutate=set_ir(11)),
    Fault("opset", "sound", "opset 21; TensorRT 10.3 reads 9 to 20", edits={'"" : 20': '"" : 21'}),
    Fault(
        "opset", "sound", "opset missing", edits={'"" : 20': '"com.example" : 1'}, also=frozenset({"domain", "valid"})
    ),
    Fault("domain", "sound", "imports the operator domain com.microsoft", mutate=add_import("com.microsoft")),
    Fault(
        "domain",
        "fused",
        "FusedConv of the domain com.microsoft",
        edits={'"" : 20': '"" : 20, "com.microsoft" : 1', LAST: f"fused = com.microsoft.FusedConv(x, w) {LAST}"},
    ),
    Fault("valid", "sound", "topologically sorted", mutate=reverse),
    Fault("operator", "odd", "Det is not on the list", edits={LAST: f"odd = Det(x) {LAST}"}),
    Fault("operator", "soft", "Gelu is not on the list for TensorRT 10.3", edits={LAST: f"soft = Gelu(x) {LAST}"}),
    Fault(
        "operator-form",
        "pool",
        "dilations=2; expected 1",
        edits={"MaxPool<": "MaxPool<dilations=[2,2],pads=[1,1,1,1],"},
    ),
    Fault(
        "operator-form",
        "pool",
        "with the output places",
        edits={"pool = MaxPool": "pool, places = MaxPool"},
        also=frozenset({"int64"}),
    ),
    Fault(
        "operator-form",
        "big",
        "mode=cubic; expected linear or nearest",
        edits={LAST: f'big = Resize<mode="cubic">(x, , scales) {LAST}'},
        constants={"scales": np.array([1, 1, 2, 2], np.float32)},
    ),
    Fault(
        "operator-form",
        "mean",
        "along some, which is computed; expected a constant",
        edits={"mean = ReduceMean(cat, axes)": "some = Identity(axes) mean = ReduceMean(cat, some)"},
        also=frozenset({"dynamic-shape"}),
    ),
    Fault(
        "dynamic-shape",
        "x",
        "axis 2 has no fixed length",
        edits={"[N,32,8,8] x": "[N,32,H,8] x", "[N,64,8,8]": "[N,64,H,8]"},
    ),
    Fault(
        "dynamic-shape",
        "flat",
        "its shape cannot be told",
        edits={"8] x)": "8] x, int64[R] wanted)", LAST: f"flat = Reshape(x, wanted) end = Relu(flat) {LAST}"},
    ),
    Fault("dynamic-shape", "many", "its shape cannot be told", mutate=add_sequence),
    Fault("float64", "exact", "float64", edits={LAST: f"exact = Cast<to=11>(x) {LAST}"}),
    Fault(
        "float64",
        "table",
        "float64",
        edits={LAST: f"less = Cast<to=10>(table) {LAST}"},
        constants={"table": np.ones(3)},
    ),
    Fault("int64", "whole", "int64 with 4 axes", edits={LAST: f"whole = Cast<to=7>(x) {LAST}"}),
    Fault(
        "mixed-types",
        "sum2",
        "float16) and one (float32",
        edits={LAST: f"sum2 = Add(x, one) {LAST}"},
        constants={"one": np.float32(1)},
    ),
    Fault(
        "mixed-types",
        "rq",
        "QuantizeLinear reads relu (float16) and s2f (float32",
        edits={"(relu, s2, ": "(relu, s2f, "},
        constants={"s2f": np.float32(half(0.03))},
    ),
    Fault("qdq-pair", "xq", "Relu odd reads its codes", edits={LAST: f"odd = Relu(xq) {LAST}"}),
    Fault(
        "qdq-pair",
        "xq",
        "skip reads its codes by another scale",
        edits={"skip = DequantizeLinear(xq, s1,": "skip = DequantizeLinear(xq, s2,"},
    ),
    Fault("qdq-pair", "xq", "leave the graph", edits={"=> (float16": "=> (int8[N,32,8,8] xq, float16"}),
    Fault(
        "qdq-pair",
        "back",
        "reads codes, which no QuantizeLinear writes",
        edits={"8] x)": "8] x, int8[N,8] codes)", LAST: f"back = DequantizeLinear(codes, s1, zero) {LAST}"},
    ),
    Fault(
        "qdq-int8",
        "xq",
        "uint8 codes",
        edits={"(x, s1, zero)": "(x, s1, uzero)", "(xq, s1, zero)": "(xq, s1, uzero)"},
        constants={"uzero": np.uint8(0)},
    ),
    Fault("qdq-int8", "xq", "uint8 codes", edits={"(x, s1, zero)": "(x, s1)", "(xq, s1, zero)": "(xq, s1)"}),
    Fault(
        "qdq-int8",
        "vd",
        "uint8 codes",
        constants={"v": np.ones((32, 32, 2, 2), np.uint8), "zeros8": np.zeros(32, np.uint8)},
        edits={"(v, s32, zeros)": "(v, s32, zeros8)"},
    ),
    Fault("zero-point", "xq", "zero point 3", edits={"s1, zero)": "s1, three)"}, constants={"three": int8(3)}),
    Fault(
        "zero-point",
        "wq",
        "zero point 1 and 1 more",
        constants={"odd": np.array([1, 1] + 30 * [0], int8)},
        edits={"s32, zeros) w": "s32, odd) w", "(wq, s32, zeros)": "(wq, s32, odd)"},
    ),
    Fault(
        "zero-point",
        "wq",
        "1 zero points for 32 scales",
        edits={"(w, s32, zeros)": "(w, s32, zero)", "(wq, s32, zeros)": "(wq, s32, zero)"},
    ),
    Fault(
        "zero-point",
        "xq",
        "zero point made is computed",
        edits={"xq = ": "made = Identity(zero) xq = ", "s1, zero)": "s1, made)"},
    ),
    Fault("scale", "xq", "scale 0.0", constants={"s1": half(0)}),
    Fault("scale", "xq", "scale -0.5", constants={"s1": half(-0.5)}),
    Fault("scale", "wq", "scale inf", constants={"s32": np.array([np.inf] + 31 * [0.01], half)}),
    Fault("scale", "rq", "scale nan", constants={"s2": half(np.nan)}),
    Fault(
        "scale",
        "rq",
        "scale made is computed",
        edits={
            "rq = ": "made = Identity(s2) rq = ",
            "(relu, s2, zero)": "(relu, made, zero)",
            "(rq, s2, zero)": "(rq, made, zero)",
        },
    ),
    Fault(
        "scale-type",
        "xq",
        "float16 scale at opset 13",
        edits={'"" : 20': '"" : 13', "mean = ReduceMean(cat, axes)": "mean = ReduceMean<axes=[2,3]>(cat)"},
        also=frozenset({"mixed-types", "float-part"}),
    ),
    Fault(
        "activation-axis",
        "xq",
        "32 scales for x",
        edits={"(x, s1, zero)": "(x, s32, zeros)", "(xq, s1, zero)": "(xq, s32, zeros)"},
    ),
    Fault(
        "weight-axis",
        "wq",
        "scales along axis 1, expected 0, for the Conv conv",
        edits={"wq = QuantizeLinear<axis=0>": "wq = QuantizeLinear"},
    ),
    Fault(
        "weight-axis",
        "wd",
        "scales along axis 1, expected 0",
        edits={"wd = DequantizeLinear<axis=0>": "wd = DequantizeLinear<axis=1>"},
    ),
    Fault(
        "weight-axis",
        "vd",
        "scales along axis 0, expected 1, for the ConvTranspose up",
        edits={"vd = DequantizeLinear<axis=1>": "vd = DequantizeLinear<axis=-4>"},
    ),
    Fault(
        "weight-axis",
        "vd",
        "31 scales for 32 channels",
        constants={"s31": np.full(31, 0.01, half), "zeros31": np.zeros(31, int8)},
        edits={"(v, s32, zeros)": "(v, s31, zeros31)"},
    ),
    Fault(
        "bias",
        "conv",
        "its bias bd comes from a DequantizeLinear",
        edits={"conv = ": "bd = DequantizeLinear(codes, s1, zero) conv = ", "wd, bias)": "wd, bd)"},
        constants={"codes": np.zeros(32, int8)},
    ),
    Fault(
        "half-quantized",
        "up",
        "Q/DQ before its weights alone",
        edits={
            "ConvTranspose<strides=[2,2]>(pool,": "ConvTranspose<strides=[2,2]>(plain,",
            "up = ": "plain = MaxPool<kernel_shape=[2,2], strides=[2,2]>(relu) up = ",
        },
    ),
    Fault(
        "half-quantized",
        "up",
        "Q/DQ before its data alone",
        edits={"vd = DequantizeLinear<axis=1>(v, s32, zeros)": "vd = Identity(plain)"},
        constants={"plain": np.ones((32, 32, 2, 2), half)},
    ),
    Fault("concat-scales", "cat", "Q/DQ before 1 of 2 inputs", edits={"(ud, rd)": "(ud, relu)"}),
    Fault(
        "concat-scales",
        "cat",
        "2 different scales",
        edits={"(up, s2, zero)": "(up, s1, zero)", "(uq, s2, zero)": "(uq, s1, zero)"},
    ),
    Fault("residual-add", "sum", "Q/DQ before neither input", edits={"Add(skip, conv)": "Add(x, conv)"}),
    Fault(
        "residual-add",
        "sum",
        "Q/DQ before both inputs",
        edits={"sum = Add(skip, conv)": f"{ROUNDED} sum = Add(skip, cd)"},
    ),
    Fault(
        "residual-add",
        "sum",
        "Q/DQ before the convolution's output",
        edits={"sum = Add(skip, conv)": f"{ROUNDED} sum = Add(x, cd)"},
    ),
    Fault(
        "residual-add",
        "twice",
        "Q/DQ before neither input",
        edits={LAST: f"other = Conv<pads=[1,1,1,1]>(xd, wd, bias) twice = Add(conv, other) {LAST}"},
    ),
    Fault(
        "residual-float",
        "sum",
        "its skip branch is not INT8 anywhere",
        edits={"sum = Add(skip, conv)": "soft = Sigmoid(x) sum = Add(soft, conv)"},
    ),
    Fault(
        "float-part",
        "sound",
        "2 of 2 INT8 convolutions write float32",
        edits={"float16[N": "float[N"},
        constants=SINGLE,
    ),
    Fault(
        "channels",
        "up",
        "channels: 33 out",
        edits={
            "[N,64": "[N,65",
            "(v, s32, zeros)\n  up": "(v, s33, zeros33)\n  up",
            "(pool, vd, bias)": "(pool, vd, bias33)",
        },
        constants={
            "v": np.ones((32, 33, 2, 2), int8),
            "s33": np.full(33, 0.01, half),
            "zeros33": np.zeros(33, int8),
            "bias33": np.zeros(33, half),
        },
    ),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.rule}: {fault.what}")
def test_a_planted_fault_is_found_by_its_rule_alone(fault: Fault) -> None:
    findings = lint(fault.model(), version=OLDEST)
    assert {finding.rule for finding in findings} == {fault.rule, *fault.also}, as_text(findings)
    assert any(finding.where == fault.where and fault.what in finding.what for finding in findings), as_text(findings)


def test_a_fault_is_planted_for_every_rule() -> None:
    assert {fault.rule for fault in FAULTS} == {rule.id for rule in RULES}
    assert len({rule.id for rule in RULES}) == len(RULES)


@pytest.mark.parametrize("version", list(VERSIONS))
def test_the_sound_graph_is_clean(version: str) -> None:
    model = Fault("", "", "").model()
    onnx.checker.check_model(model, full_check=True)
    assert lint(model, version=version) == []


def test_a_constant_may_be_a_node() -> None:
    bits = int(half(0.02).view(np.uint16))
    made = f"made = Constant<value = float16 {{{bits}}}>() all = Constant<value_ints=[2,3]>() xq = "
    model = Fault("", "", "", edits={"xq = ": made, "s1, zero)": "made, zero)", "(cat, axes)": "(cat, all)"}).model()
    assert lint(model, version=OLDEST) == []


def test_weights_may_have_one_scale() -> None:
    edits = {"(w, s32, zeros)": "(w, s1, zero)", "(wq, s32, zeros)": "(wq, s1, zero)"}
    assert lint(Fault("", "", "", edits).model(), version=OLDEST) == []


@pytest.mark.parametrize("version", list(VERSIONS))
def test_the_graphs_of_the_default_bundle_are_clean(version: str) -> None:
    files = sorted((default_bundle() / "onnx").glob("*.onnx"))
    assert "upscale.onnx" in {file.name for file in files}
    assert {file.name: lint(onnx.load(file), version=version) for file in files} == {file.name: [] for file in files}


def test_the_tensorrt_flavour_has_notes_only() -> None:
    model = composed(steps=2)
    places = placement(model, "tensorrt")
    findings = lint(insert_qdq(model, exact_ranges(places), places), version=OLDEST)
    assert {finding.rule for finding in findings} == {"float-part", "channels"}


def test_the_onnxruntime_flavour_is_not_for_tensorrt() -> None:
    model = composed(steps=1)
    places = placement(model, "onnxruntime")
    findings = lint(insert_qdq(model, exact_ranges(places), places), version=OLDEST)
    assert {"qdq-int8", "residual-add"} <= {finding.rule for finding in findings}
    assert not passes(findings)


def test_versions_differ_where_their_parsers_do() -> None:
    gelu = Fault("", "", "", edits={LAST: f"soft = Gelu(x) {LAST}"}).model()
    squeeze = Fault("", "", "", edits={LAST: f"some = Identity(axes) thin = Unsqueeze(x, some) {LAST}"}).model()
    newer = Fault("", "", "", edits={'"" : 20': '"" : 21'}).model()
    broken = {v: [{f.rule for f in lint(m, version=v)} for m in (gelu, squeeze, newer)] for v in VERSIONS}
    assert broken["10.3"] == [{"operator"}, {"operator-form", "dynamic-shape"}, {"opset"}]
    assert broken["10.16"] == broken["11"] == [set(), {"dynamic-shape"}, set()]


def test_what_the_oldest_version_reads_all_later_ones_read() -> None:
    oldest = VERSIONS[OLDEST]
    for version in VERSIONS.values():
        assert version.operators >= oldest.operators
        assert version.opsets[0] <= oldest.opsets[0] and version.opsets[1] >= oldest.opsets[1]
        assert set(version.constant_inputs) <= set(oldest.constant_inputs)
        assert version.source
    assert not LATER & oldest.operators


def test_an_unknown_version_is_refused() -> None:
    with pytest.raises(UsageError, match="no rules for TensorRT 8.6; expected 10.3 or 10.16 or 11"):
        lint(Fault("", "", "").model(), version="8.6")


def test_every_rule_says_why_where_it_is_written_and_what_to_do() -> None:
    for rule in RULES:
        assert rule.why and rule.source and rule.todo and rule.severity in SEVERITIES


def test_text_has_a_line_a_finding_and_what_to_do_once_a_rule() -> None:
    fault = Fault("", "", "", edits={LAST: f"a = Det(x) b = Det(x) {LAST}"})
    lines = as_text(lint(fault.model(), version=OLDEST))
    assert [line.split(":")[0] for line in lines] == [
        "error [operator] a",
        "error [operator] b",
        "  why",
        "  do",
        "2 errors",
    ]
    assert as_text([]) == ["clean"]


def test_json_has_what_the_text_has() -> None:
    findings = lint(Fault("", "", "", constants={"s1": half(0)}).model(), version="11")
    report = json.loads(json.dumps(as_json(findings, file="a.onnx", version="11")))
    assert (report["schema_version"], report["file"], report["tensorrt"], report["passes"]) == (
        1,
        "a.onnx",
        "11",
        False,
    )
    assert report["counts"] == counts(findings) == {"error": len(findings), "warning": 0, "note": 0}
    assert report["findings"][0]["rule"] == "scale" and report["findings"][0]["where"] == "xq"


def test_the_command_exits_0_for_a_graph_without_errors(tmp_path: Path) -> None:
    onnx.save(Fault("", "", "", edits={"(ud, rd)": "(ud, relu)"}).model(), tmp_path / "a.onnx")
    words = [sys.executable, "-m", "build_engines.lint", str(tmp_path / "a.onnx")]
    result = subprocess.run(words, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "warning [concat-scales] cat: Q/DQ before 1 of 2 inputs" in result.stdout


def test_the_command_exits_1_for_errors_and_needs_no_external_files(tmp_path: Path, capsys: Captured) -> None:
    onnx.save(Fault("", "", "", mutate=point_outside).model(), tmp_path / "a.onnx")
    assert main([str(tmp_path / "a.onnx"), "--json", "--tensorrt", "10.16"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert [finding["rule"] for finding in report["findings"]] == ["external-data"]


@pytest.mark.parametrize("content", [b"no protobuf", b""])
def test_the_command_says_what_is_no_onnx(tmp_path: Path, capsys: Captured, content: bytes) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(content)
    assert main([str(file)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {file}: ") and "expected a .onnx file" in error


def test_the_command_says_which_file_is_missing(tmp_path: Path, capsys: Captured) -> None:
    assert main([str(tmp_path / "a.onnx")]) == 2
    assert "no such file; expected an ONNX file" in capsys.readouterr().err
