"""``python -m build_engines.lint FILE``: hold an ONNX file against TensorRT's rules."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
import onnx
from google.protobuf.message import DecodeError
from onnx import ModelProto

from build_engines.lint import as_json, as_text, lint, passes
from build_engines.lint.tensorrt_versions import OLDEST, VERSIONS
from edge_sr.cli.exit_codes import DONE, SOME_INPUTS_FAILED, guarded
from edge_sr.errors import InputError, UsageError


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--tensorrt",
    "version",
    type=click.Choice(list(VERSIONS)),
    default=OLDEST,
    show_default=True,
    help="The version to build with; what passes for the oldest one passes for all.",
)
@click.option("--json", "to_json", is_flag=True, help="Write a JSON object.")
def command(file: Path, version: str, to_json: bool) -> int:
    """Hold FILE, an ONNX graph, against what TensorRT accepts; exit code 1 where there are errors."""
    findings = lint(load(file), version=version)
    if to_json:
        click.echo(json.dumps(as_json(findings, file=str(file), version=version), indent=2))
    else:
        click.echo("\n".join(as_text(findings)))
    return DONE if passes(findings) else SOME_INPUTS_FAILED


def load(file: Path) -> ModelProto:
    """The graph, without the files it may point to. Raises UsageError or InputError where it is no ONNX."""
    if not file.is_file():
        raise UsageError("no such file", where=file, expected="an ONNX file")
    try:
        model = onnx.load(file, load_external_data=False)
    except DecodeError as error:
        raise InputError("this is not ONNX", where=file, expected="a .onnx file") from error
    if not model.graph.node:
        raise InputError("there is no graph in it", where=file, expected="a .onnx file")
    return model


def main(words: Sequence[str] | None = None) -> int:
    """The exit code of the command with these words, or with those of the command line."""
    return guarded(lambda: command.main(words, prog_name="python -m build_engines.lint", standalone_mode=False))


if __name__ == "__main__":
    raise SystemExit(main())
