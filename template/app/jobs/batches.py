"""Group commits: what several want done in the same moment is done with one statement."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context


class Batches[T, R]:
    """Collects items while the batch before them is under way.

    Args:
        work: does a batch; gives the outcome of each item, in their order.
        limit: of one batch.
    """

    def __init__(self, work: Callable[[Sequence[T]], Awaitable[Sequence[R]]], *, limit: int = 500) -> None:
        self._work = work
        self._limit = limit
        self._waiting: list[tuple[T, asyncio.Future[R]]] = []
        self._task: asyncio.Task[None] | None = None

    async def add(self, item: T) -> R:
        """The outcome of the item, once its batch is done.

        Raises:
            Exception: what the batch raised.
        """
        outcome: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, outcome))
        if self._task is None:
            # It outlives whoever was the first, and has nothing of what that had around it.
            self._task = asyncio.create_task(self._work_off(), context=Context())
        return await outcome

    async def _work_off(self) -> None:
        # A turn for the others that are ready: they come along.
        await asyncio.sleep(0)
        while self._waiting:
            batch, self._waiting = self._waiting[: self._limit], self._waiting[self._limit :]
            try:
                results = await self._work([item for item, _ in batch])
            except Exception as error:  # noqa: BLE001 - each of those who wait gets it
                for _, outcome in batch:
                    if not outcome.done():
                        outcome.set_exception(error)
            else:
                for (_, outcome), result in zip(batch, results, strict=True):
                    if not outcome.done():
                        outcome.set_result(result)
        self._task = None
