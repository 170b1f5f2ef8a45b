"""A command group that knows its commands by name and imports one only when it is called."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any, NoReturn

import click

from edge_sr.cli.exit_codes import USAGE, guarded
from edge_sr.errors import EnvironmentFault

CommandTable = Mapping[str, tuple[str, str]]  # name -> ("module:attribute", short help)
EXTRAS = {"build_engines": "build"}  # package of a command -> what to install for it


class LazyGroup(click.Group):
    """The group behind a console script.

    table: the commands; the listing in the group's help is made of it alone.
    needs: what to type where a package is missing that a command imports.
    """

    def __init__(self, name: str, *, table: CommandTable, needs: str, help: str, epilog: str) -> None:
        settings = {
            "auto_envvar_prefix": "EDGE_SR",
            "help_option_names": ["-h", "--help"],
            "max_content_width": 100,
        }
        super().__init__(
            name,
            help=help,
            epilog=epilog,
            context_settings=settings,
            invoke_without_command=True,
            callback=_help_without_command,
        )
        self.table = table
        self.needs = needs

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; EnvironmentFault where a package that it imports is missing."""
        if cmd_name not in self.table:
            return None
        module, _, attribute = self.table[cmd_name][0].partition(":")
        try:
            command = getattr(import_module(module), attribute)
        except ModuleNotFoundError as error:
            missing = error.name or ""
            if missing.partition(".")[0] == module.partition(".")[0]:
                raise  # one of our own modules: a bug
            extra = EXTRAS.get(module.partition(".")[0])
            hint = f'pip install "edge-sr[{extra}]"' if extra else self.needs
            raise EnvironmentFault(f"{cmd_name} needs the package {missing}", hint=hint) from error
        assert isinstance(command, click.Command), self.table[cmd_name][0]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short_help) for name, (_, short_help) in self.table.items()])

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """click's own main, to which all arguments go, ended by the codes of ``edge_sr.cli.exit_codes``."""
        kwargs = {"prog_name": self.name, **kwargs, "standalone_mode": False}
        run = super().main
        sys.exit(guarded(lambda: run(*args, **kwargs)))


@click.pass_context
def _help_without_command(ctx: click.Context) -> None:
    """The same in all versions of click: the help on stderr, and the code of a command line that asks for nothing."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help(), err=True)
        ctx.exit(USAGE)


def examples(*lines: str) -> str:
    """The "Examples:" block that ends every help text, kept line by line."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
