"""The command `app`, with the commands of the core and those that the modules' manifests list.

Commands import what they need when they run, so that `app --help` and `app dev` start quickly.
"""

import click

from app.cli.database import servers
from app.cli.db import db
from app.cli.dev import dev
from app.cli.doctor import doctor
from app.cli.errors import explanation
from app.cli.inspection import openapi, routes
from app.cli.logs import logs
from app.cli.serve import serve
from app.cli.settings import settings
from app.cli.token import token


class Application(click.Group):
    """The commands of the core and of the modules. Errors that the user can fix are shown without a traceback."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """See `click.Group.get_command`."""
        return super().get_command(ctx, cmd_name) or _module_commands().get(cmd_name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """See `click.Group.list_commands`."""
        return sorted({*super().list_commands(ctx), *_module_commands()})

    def invoke(self, ctx: click.Context) -> object:
        """See `click.Group.invoke`."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            text = explanation(error)
            if text is None:
                raise
            raise click.ClickException(text) from error


def _module_commands() -> dict[str, click.Command]:
    """Return the modules' commands by name. Groups of the same name become one group."""
    from app.modules import MODULES

    commands: dict[str, click.Command] = {}
    for command in (command for module in MODULES for command in module.commands):
        name = command.name or ""
        other = commands.get(name)
        if isinstance(other, click.Group) and isinstance(command, click.Group):
            commands[name] = click.Group(name, {**other.commands, **command.commands}, help=other.help)
        else:
            commands[name] = command
    return commands


@click.group(cls=Application)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Run and manage this application."""
    if ctx.invoked_subcommand not in cli.commands:
        from app.core.commands import CommandLine
        from app.modules import MODULES

        ctx.obj = CommandLine(modules=MODULES, database=lambda: servers("app"))


for _command in (db, dev, doctor, logs, openapi, routes, serve, settings, token):
    cli.add_command(_command)


def main() -> None:
    """Run the command `app`."""
    cli(prog_name="app")


if __name__ == "__main__":
    main()
