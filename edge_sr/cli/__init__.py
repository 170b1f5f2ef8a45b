"""The command line. A table of names; a command's module is imported when the command is called, not before."""

from __future__ import annotations

import click

from edge_sr import __version__
from edge_sr.cli.lazy_group import LazyGroup, examples

COMMANDS = {
    "run": ("edge_sr.cli.run:run", "Super-resolve radiographs: a file, a folder or a pattern."),
    "build": (
        "build_engines.build_command:build_command",
        "Make a checked engine for this machine: FP16, INT8 or the fastest.",
    ),
    "watch": ("edge_sr.cli.watch:watch", "Super-resolve every picture that is put into a folder, for years."),
    "status": ("edge_sr.cli.status:status", "Ask a running service how it is."),
    "spool": ("edge_sr.cli.spool:spool", "Look into a service's folders: list, verify, find."),
    "requeue": ("edge_sr.cli.requeue:requeue", "Give quarantined pictures to the service once more."),
    "demo": ("edge_sr.cli.demo:demo", "Show before and after in a browser, with a slider between them."),
    "bench": ("edge_sr.cli.bench:bench", "Measure latency, memory, power and quality of every variant in one run."),
    "engines": ("edge_sr.cli.engines:engines", "List, verify, explain and prune what was built."),
    "calibrate": (
        "build_engines.ranges.calibrate_command:calibrate",
        "Find the ranges of a bundle's activations, for INT8.",
    ),
    "inspect": ("edge_sr.cli.inspect:inspect", "Say where an output came from, or what a bundle or network holds."),
    "doctor": ("edge_sr.cli.doctor:doctor", "Check this machine, and say what to type where something is missing."),
    "device-check": (
        "build_engines.device_check.command:device_check",
        "Measure everything on this machine once, and write one report to send back.",
    ),
    "power": ("edge_sr.cli.power:power", "Show what this machine takes in watts, by rail."),
    "sample": ("edge_sr.cli.sample:sample", "Write a synthetic radiograph to try things on."),
}

group = LazyGroup(
    "edge-sr",
    table=COMMANDS,
    needs="edge-sr doctor",
    help="Make a small radiograph four times as wide and high, and tell what was done to it.\n\n"
    "For research. Not for diagnostic use.",
    epilog=examples(
        "edge-sr sample chest.png",
        "edge-sr run chest.png -o out --compare-as out/before-after.png",
        "edge-sr inspect out/chest_x4.png",
        "edge-sr doctor",
    ),
)
click.version_option(__version__, prog_name="edge-sr", message="%(prog)s %(version)s")(group)


def main() -> None:
    """Entry point of the console script ``edge-sr``."""
    group()
