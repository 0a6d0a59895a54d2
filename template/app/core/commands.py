"""What a module's commands are made with.

    @click.command()
    @click.argument("email")
    @with_runtime
    async def promote(runtime: Runtime, email: str) -> None: ...

The manifest lists it in `commands`, and `app promote me@example.com` runs it.
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
from app.core.runtime import Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandLine:
    """What the command `app` gives to every command, as click's context object.

    Attributes:
        modules: of this application.
        database: puts DATABASE_URL into the environment where nothing else does (the private server, in local), and the
            settings of other servers that `app dev` runs.
    """

    modules: tuple[Module, ...]
    database: Callable[[], AbstractContextManager[None]]


def with_runtime[**P](function: Callable[Concatenate[Runtime, P], Awaitable[None]]) -> Callable[P, None]:
    """Makes a command's body of a coroutine function that works with the running application's runtime.

    An `AppError` becomes the command's error message.
    """

    @wraps(function)
    def body(*args: P.args, **kwargs: P.kwargs) -> None:
        command_line = click.get_current_context().find_object(CommandLine)
        if command_line is None:
            raise RuntimeError("A command with a runtime runs below the command `app`, or with a CommandLine as `obj`.")

        async def run() -> None:
            async with running(create_runtime(command_line.modules), background=False) as runtime:
                await function(runtime, *args, **kwargs)

        with command_line.database():
            asyncio.run(run())

    return body
