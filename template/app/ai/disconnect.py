"""Work that is cancelled when the client disconnects."""

import asyncio
from collections.abc import Coroutine

from fastapi import Request
from starlette.requests import ClientDisconnect


async def while_connected[T](request: Request, work: Coroutine[object, object, T]) -> T:
    """Return the result of the work, and cancel the work if the client disconnects.

    The request's body must have been read.

    Raises:
        ClientDisconnect: the client has disconnected.
    """
    working = asyncio.ensure_future(work)
    disconnecting = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({working, disconnecting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        disconnecting.cancel()
        await asyncio.wait({working, disconnecting})


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
