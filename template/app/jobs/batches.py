"""Group commit: concurrent calls share one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context


class Batches[T, R]:
    """A collector of the items that arrive while the previous batch is being processed.

    Args:
        work: processes a batch and returns the result of each item, in order.
        limit: the maximum size of a batch.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, limit: int = 500) -> None:
        self._work = work
        self._limit = limit
        self._pending: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: T) -> R:
        """Process the item with the next batch and return its result.

        Raises:
            Exception: the batch failed.
        """
        result: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._pending.append((item, result))
        if self._task is None:
            # The task outlives its first caller, and must not inherit the caller's context.
            self._task = asyncio.create_task(self._process_pending(), context=Context())
        return await result

    async def _process_pending(self) -> None:
        # Lets other tasks that are ready add their items first.
        await asyncio.sleep(0)
        while self._pending:
            batch, self._pending = self._pending[: self._limit], self._pending[self._limit :]
            try:
                results = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - every caller of the batch gets it
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), result in zip(batch, results, strict=True):
                    if not future.done():
                        future.set_result(result)
        self._task = None
