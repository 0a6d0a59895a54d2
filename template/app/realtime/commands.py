"""The command `app realtime`."""

import json

import click

from app.core.commands import CommandLine
from app.core.config.settings import core_settings
from app.core.manifest import DeclaredChannels
from app.realtime.asyncapi import document
from app.realtime.channels import Channels


@click.group()
def realtime() -> None:
    """Realtime events."""


@realtime.command()
@click.pass_context
def schema(context: click.Context) -> None:
    """Print the protocol as an AsyncAPI 3 document, for generators of clients and documentation."""
    command_line = context.find_object(CommandLine)
    if command_line is None:
        raise RuntimeError("This command runs below the command `app`.")
    channels = Channels(DeclaredChannels.of(command_line.modules).channels)
    click.echo(json.dumps(document(core_settings(), channels), indent=2))
