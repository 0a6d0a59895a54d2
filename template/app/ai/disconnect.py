"""Work that is only done for as long as somebody waits for it."""

import asyncio
from collections.abc import Coroutine

from fastapi import Request
from starlette.requests import ClientDisconnect


async def while_connected[T](request: Request, work: Coroutine[object, object, T]) -> T:
    """What the work results in; it is cancelled when the client leaves. The request's body has been read by then.

    Raises:
        ClientDisconnect: the client has left.
    """
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait({working, leaving})


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
