"""A Python prompt whose statements run in an event loop."""

import ast
import asyncio
import code
import sys
import traceback
from collections.abc import Callable, Mapping
from inspect import isawaitable
from types import CodeType, FunctionType


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
