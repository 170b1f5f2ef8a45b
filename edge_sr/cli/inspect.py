"""``edge-sr inspect``: what an output, a bundle or an ONNX file says about itself."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from edge_sr.cli.lazy_group import examples
from edge_sr.errors import EnvironmentFault, InputError

SCHEMA_VERSION = 1
WIDEST = 120  # columns; sentences are broken there, hashes and names are not

EXAMPLES = examples(
    "edge-sr inspect chest_x4.png          how this picture was made",
    "edge-sr inspect my-bundle             what the bundle holds, after verifying its hashes",
    "edge-sr inspect default               the same of one that comes with edge-sr",
    "edge-sr inspect upscale.onnx --json   operators, inputs and outputs, for programs",
)


@click.command(epilog=EXAMPLES)
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, envvar="EDGE_SR_INSPECT_JSON", help="One JSON document on stdout.")
def inspect(path: Path, as_json: bool) -> None:
    """Show the provenance of an output (PNG), or the summary of a bundle folder or an ONNX file."""
    summary = describe(path)
    if as_json:
        click.echo(json.dumps({"schema_version": SCHEMA_VERSION, **summary}, indent=2))
    else:
        _print_table(summary)


def describe(path: Path) -> dict[str, object]:
    """The summary of one file or folder as a JSON object; its "kind" is output, bundle or onnx."""
    from edge_sr.artifacts.bundle import SHIPPED, shipped_bundle

    if not path.exists() and str(path) in SHIPPED:
        path = shipped_bundle(str(path))
    if not path.exists():
        raise InputError("no such file or folder", where=path)
    readers: dict[str, Callable[[Path], dict[str, object]]] = {".png": describe_output, ".onnx": describe_onnx}
    reader = describe_bundle if path.is_dir() else readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"cannot inspect a {path.suffix or 'nameless kind of'} file",
            where=path,
            expected="a PNG that edge-sr wrote, a bundle folder or an .onnx file",
        )
    return reader(path)


def describe_output(path: Path) -> dict[str, object]:
    """The provenance inside a PNG that ``edge-sr run`` wrote."""
    from edge_sr.image.png import read_text
    from edge_sr.pipeline import TEXT_KEY

    text = read_text(path)
    if TEXT_KEY not in text:
        raise InputError("carries no provenance of edge-sr", where=path, hint=f"edge-sr run {path}")
    try:
        provenance = json.loads(text[TEXT_KEY])
    except ValueError as error:
        raise InputError(f"its provenance is damaged ({error})", where=path) from error
    return {"kind": "output", "file": str(path), "provenance": provenance}


def describe_bundle(folder: Path) -> dict[str, object]:
    """The manifest in short. Bundle.open has compared every hash by then, or raised IntegrityError."""
    from edge_sr.artifacts.bundle import Bundle

    bundle = Bundle.open(folder)
    manifest = bundle.manifest.to_json()
    networks = {
        role: {
            "file": network.file,
            "kib": round(bundle.path(role).stat().st_size / 1024, 1),
            "inputs": ", ".join(map(str, network.inputs)),
            "outputs": ", ".join(map(str, network.outputs)),
        }
        for role, network in bundle.manifest.networks.items()
    }
    shown = ("name", "version", "family", "scale", "input", "diffusion", "sampler", "evaluation", "provenance")
    return {
        "kind": "bundle",
        "file": str(folder),
        "sha256": bundle.sha256,
        "verified": f"{len(bundle.manifest.hashes())} files, every hash as listed",
        **{name: manifest[name] for name in shown if name in manifest},
        "networks": networks,
        "intended_use": manifest["intended_use"],
    }


def describe_onnx(path: Path) -> dict[str, object]:
    """Versions, tensors, operator counts and the number of parameters of one ONNX file."""
    try:
        import onnx
    except ImportError as error:
        raise EnvironmentFault("needs the package onnx", where=path, hint='pip install "edge-sr[build]"') from error
    try:
        model = onnx.load(str(path))
    except Exception as error:  # protobuf's DecodeError has no public home that all of its versions share
        raise InputError(f"is no ONNX file ({error})", where=path) from error
    graph = model.graph
    if not graph.node:
        raise InputError("is no ONNX file (it holds no graph)", where=path)
    constants = {initializer.name for initializer in graph.initializer}
    return {
        "kind": "onnx",
        "file": str(path),
        "ir_version": model.ir_version,
        "opset": {entry.domain or "ai.onnx": entry.version for entry in model.opset_import},
        "inputs": [_tensor(value) for value in graph.input if value.name not in constants],
        "outputs": [_tensor(value) for value in graph.output],
        "parameters": sum(_count(initializer.dims) for initializer in graph.initializer),
        "operators": dict(Counter(node.op_type for node in graph.node).most_common()),
    }


def _tensor(value: Any) -> str:
    from onnx import helper

    tensor = value.type.tensor_type
    axes = [axis.dim_param or str(axis.dim_value) for axis in tensor.shape.dim]
    return f"{value.name} {helper.tensor_dtype_to_np_dtype(tensor.elem_type)}[{', '.join(axes)}]"


def _count(dims: Any) -> int:
    count = 1
    for size in dims:
        count *= size
    return count


def _print_table(summary: Mapping[str, object], indent: int = 0) -> None:
    """One line a value; nested objects are indented below their name."""
    width = max((len(name) for name in summary), default=0)
    for name, value in summary.items():
        if isinstance(value, Mapping) and value:
            click.echo(f"{'':{indent}}{name}")
            _print_table(value, indent + 2)
        elif not isinstance(value, Mapping):
            text = _listed(value) if isinstance(value, list) else str(value)
            shown = "-" if value is None else click.format_filename(text) or "-"  # a file's name may be no UTF-8
            label = f"{'':{indent}}{name:<{width}}  "
            click.echo(label + f"\n{'':{len(label)}}".join(_lines(shown, WIDEST - len(label))))


def _lines(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, max(width, 20), break_long_words=False, break_on_hyphens=False)


def _listed(values: list[Any]) -> str:
    """Plain values side by side; a list of objects is no line of a table."""
    if any(isinstance(value, Mapping) for value in values):
        return f"{len(values)} entries, shown by --json"
    return ", ".join(map(str, values))
