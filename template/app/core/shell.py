"""The command `app shell`: a Python prompt with the running application."""

import ast
import asyncio
import code
import sys
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from inspect import isawaitable
from types import CodeType, FunctionType
from typing import Final

import click
from sqlalchemy import func, select
from sqlmodel import col

from app.core.commands import with_runtime
from app.core.manifest import modules_of
from app.core.runtime import Runtime

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


class AwaitingConsole(code.InteractiveConsole):
    """A Python prompt whose statements run in an event loop, and may `await`.

    Args:
        namespace: the names that the prompt starts with.
        loop: runs the statements. It must not be the loop of the prompt's own thread.
    """

    def __init__(self, namespace: Mapping[str, object], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(dict(namespace))
        self.compile.compiler.flags |= ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        self._loop = loop

    def runcode(self, code: CodeType) -> None:
        """Run a compiled statement in the loop, and wait for it."""
        statement: Callable[[], object] = FunctionType(code, self.locals)

        async def run() -> BaseException | None:
            # Caught here: an event loop that a SystemExit passes through stops.
            try:
                result = statement()
                if isawaitable(result):
                    await result
            except BaseException as error:  # noqa: BLE001 - raised again below
                return error
            return None

        future = asyncio.run_coroutine_threadsafe(run(), self._loop)
        try:
            error = future.result()
        except BaseException as interrupt:  # noqa: BLE001 - Ctrl-C, for one
            error = interrupt
        if isinstance(error, SystemExit):
            raise error
        if error is not None:
            self._show(error)

    def _show(self, error: BaseException) -> None:
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, error.__traceback__
        self.write("".join(traceback.format_exception(error)))
