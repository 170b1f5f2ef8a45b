"""``--spool``: which spool a command is about."""

from __future__ import annotations

from pathlib import Path

import click

from edge_sr.service.spool import DEFAULT_SPOOL

spool_option = click.option(
    "--spool",
    "path",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    envvar="EDGE_SR_SPOOL",
    default=DEFAULT_SPOOL,
    show_default=True,
    show_envvar=True,
    help="The spool: the folder that holds incoming, outgoing and the others.",
)
