"""The command `app shell`: a Python prompt with the running application."""

import asyncio
import sys
from contextlib import suppress
from typing import Final

import click
from sqlalchemy import func, select
from sqlmodel import col

from app.core.commands import with_runtime
from app.core.manifest import modules_of
from app.core.runtime import Runtime
from app.core.shell.console import AwaitingConsole

BANNER: Final = """\
Python {version}. Top-level `await` works. Available: runtime, session, select, col, func, {models}.
The session's transaction rolls back at the end, unless you call `await session.commit()`. Ctrl-D exits."""


@click.command()
@with_runtime
async def shell(runtime: Runtime) -> None:
    """Open a Python prompt with the runtime and a database session."""
    async with runtime.database.new_session(reading=False) as session:
        models = {model.__name__: model for module in modules_of(runtime) for model in module.models}
        tools: dict[str, object] = {"select": select, "col": col, "func": func}
        namespace = models | tools | {"runtime": runtime, "session": session}
        console = AwaitingConsole(namespace, asyncio.get_running_loop())
        banner = BANNER.format(version=sys.version.split()[0], models=", ".join(sorted(models)))
        with suppress(SystemExit):
            # The prompt blocks: it runs in a thread, and its statements in the application's event loop.
            await asyncio.to_thread(console.interact, banner=banner, exitmsg="")
