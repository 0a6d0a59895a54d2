"""An event loop in a thread of its own, through which blocking code calls coroutines."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from threading import Event, Thread
from typing import Any, Self


class Portal:
    """An event loop in a thread of its own. Use it as a context manager; the methods block."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._ready = Event()
        self._thread = Thread(target=lambda: asyncio.run(self._run()), name="portal", daemon=True)

    def __enter__(self) -> Self:
        """Start the loop."""
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the loop. Its running tasks are cancelled."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()

    def call[T](self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, and return its result."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            # For example Ctrl-C in this thread.
            future.cancel()
            raise

    def iterate[T](self, items: AsyncIterator[T]) -> Iterator[T]:
        """Yield the items of an asynchronous iterator."""
        while True:
            try:
                item = self.call(_next(items))
            except StopAsyncIteration:
                return
            yield item

    @contextmanager
    def enter[T](self, manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Enter an asynchronous context manager until the end of the block."""
        value = self.call(_enter(manager))
        try:
            yield value
        except BaseException as error:
            if not self.call(_exit(manager, error)):
                raise
        else:
            self.call(_exit(manager, None))


async def _next[T](items: AsyncIterator[T]) -> T:
    return await anext(items)


async def _enter[T](manager: AbstractAsyncContextManager[T]) -> T:
    return await manager.__aenter__()


async def _exit[T](manager: AbstractAsyncContextManager[T], error: BaseException | None) -> bool:
    return bool(await manager.__aexit__(type(error) if error else None, error, error.__traceback__ if error else None))
