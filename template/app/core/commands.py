"""Helpers for the commands of modules.

    @click.command()
    @click.argument("email")
    @with_runtime
    async def welcome(runtime: Runtime, email: str) -> None: ...

The manifest lists it in `commands`, and `app welcome me@example.com` runs it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate

import click

from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.core.observability.logging import log_to_stderr
from app.core.runtime import Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandLine:
    """The context object (`click.Context.obj`) that the command `app` passes to every command.

    Attributes:
        modules: of this application.
        database: sets DATABASE_URL to the private server if the settings don't name a database, and the
            settings of the other servers that `app dev` runs.
    """

    modules: tuple[Module, ...]
    database: Callable[[], AbstractContextManager[None]]


def with_runtime[**P](function: Callable[Concatenate[Runtime, P], Awaitable[None]]) -> Callable[P, None]:
    """Turn a coroutine function into the body of a command. It receives a runtime with open lifespans.

    An `AppError` becomes the command's error message.
    """

    @wraps(function)
    def body(*args: P.args, **kwargs: P.kwargs) -> None:
        command_line = click.get_current_context().find_object(CommandLine)
        if command_line is None:
            raise RuntimeError("A command with a runtime runs below the command `app`, or with a CommandLine as `obj`.")

        async def run() -> None:
            runtime = create_runtime(command_line.modules)
            with log_to_stderr(runtime.settings):
                async with running(runtime, background=False):
                    await function(runtime, *args, **kwargs)

        with command_line.database():
            asyncio.run(run())

    return body
