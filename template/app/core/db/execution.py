"""The execution of single statements, and of work that must not be cancelled halfway."""

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from sqlalchemy import Engine, Executable, Row
from sqlalchemy.exc import DBAPIError
from sqlalchemy.util import greenlet_spawn


def fetch_once(
    engine: Engine, statement: Executable, parameters: Mapping[str, object]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the rows of a statement, on a connection of its own."""
    with engine.connect() as connection:
        return connection.execute(statement, parameters).all()


async def fetch_again(
    engine: Engine, statement: Executable, parameters: Mapping[str, object]
) -> Sequence[Row[*tuple[Any, ...]]]:
    """Fetch, and once more if the server had closed the connection: reading twice does no harm."""
    # One switch into the driver's world instead of one to connect, one to execute and one to close.
    try:
        return await greenlet_spawn(fetch_once, engine, statement, parameters)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
    return await greenlet_spawn(fetch_once, engine, statement, parameters)


async def finish(work: Coroutine[object, object, None]) -> None:
    """Finish the work even if the caller is cancelled meanwhile, and cancel the caller only then."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
