"""``edge-sr demo``: before and after, in a browser."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_sr.cli.lazy_group import examples
from edge_sr.cli.model_options import PRECISION, THREADS
from edge_sr.errors import EnvironmentFault

if TYPE_CHECKING:
    from edge_sr.demo.folder import FolderPlan


@click.command(
    epilog=examples(
        "edge-sr demo                                 on this machine, at http://127.0.0.1:8765/",
        "edge-sr demo --model default,fast,bicubic    what may be chosen in the page",
        "edge-sr demo --folder scans                  with a button that works through a folder",
        "edge-sr demo --host 0.0.0.0                  for others too; the address has a token",
    )
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen at; all but loopback need a token."
)
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0 takes any free one.")
@click.option("--token", help="Asked of every visitor.  [default: none on loopback, elsewhere one is made]")
@click.option(
    "--name", "names", multiple=True, metavar="NAME", help="Another host name by which this machine is reached."
)
@click.option(
    "--model",
    default="default,fast",
    show_default=True,
    help="What the page offers, with commas between: default, fast, bicubic, bundle folders. The first is shown first.",
)
@PRECISION
@THREADS
@click.option(
    "--max-pixels",
    type=click.IntRange(64 * 64, 1 << 24),
    default=1 << 20,
    show_default=True,
    help="Refuse larger pictures before decoding them.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A button in the page works through it as edge-sr run would; results stand in FOLDER_x4.",
)
@click.option("--overwrite", is_flag=True, help="Replace results of the folder that exist.")
@click.option(
    "--open/--no-open", "open_browser", default=None, help="Open a browser.  [default: where there is a screen]"
)
def demo(
    host: str,
    port: int,
    token: str | None,
    names: tuple[str, ...],
    model: str,
    precision: str,
    threads: int | None,
    max_pixels: int,
    folder: Path | None,
    overwrite: bool,
    open_browser: bool | None,
) -> None:
    """Show before and after in a browser: drop a radiograph, see what was made of it and how far to trust it.

    One picture is worked on at a time. Nothing that is uploaded is written to a disk, logged or sent elsewhere; the
    page needs no other server. Ends with Ctrl-C. Not for diagnostic use.
    """
    try:
        from edge_sr.demo.app import Limits
        from edge_sr.demo.serve import Place, Show, serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("starlette", "uvicorn", "anyio", "h11"):
            raise
        raise EnvironmentFault(f"demo needs the package {error.name}", hint='pip install "edge-sr[demo]"') from error
    show = Show(
        models=model.split(","),
        precision=precision,
        threads=threads,
        limits=Limits(largest=max_pixels, most_bytes=2 * 16 * max_pixels + (4 << 20)),
        folder=None if folder is None else lambda: _plan(folder, overwrite),
        overwrite=overwrite,
    )
    if folder is not None:
        _plan(folder, overwrite)  # a fault of the command line is told now
    serve(show, Place(host, port, token, names), tell=_tell, note=_warn, open_browser=_has_screen(open_browser))


def _plan(folder: Path, overwrite: bool) -> FolderPlan:
    """UsageError where two files would have one output."""
    from edge_sr.cli.inputs import plan_run
    from edge_sr.demo.folder import FolderPlan

    plan = plan_run((str(folder),), overwrite=overwrite)
    return FolderPlan([(job.source, job.target) for job in plan.jobs], len(plan.faults) + len(plan.skipped))


def _has_screen(wanted: bool | None) -> bool:
    if wanted is not None:
        return wanted
    return sys.stdout.isatty() and any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _tell(url: str) -> None:
    click.echo(f"edge-sr demo: open {url}\nCtrl-C ends it. Not for diagnostic use.")


def _warn(line: str) -> None:
    click.echo(f"warning: {line}", err=True)
