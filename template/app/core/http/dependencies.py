"""Dependencies of routes, as annotated types: `async def read(session: SessionDep) -> …`.

They work for requests and for WebSockets.
"""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.core.context import Actor, context_of
from app.core.errors import UnauthorizedError
from app.core.runtime import Runtime, get_runtime

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def runtime_of(connection: HTTPConnection) -> Runtime:
    """Return the application's runtime. A coroutine, since FastAPI would run a plain function in a thread."""
    return get_runtime(connection)


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]


async def actor_of(connection: HTTPConnection) -> Actor:
    """Return the user who performs the request, in the app and admin areas.

    Raises:
        UnauthorizedError: no guard has authenticated the request.
    """
    actor = context_of(connection).actor
    if actor is None:
        raise UnauthorizedError
    return actor


ActorDep = Annotated[Actor, Depends(actor_of)]


async def get_session(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Open one transaction for the request, committed before the response is sent. A safe method only reads.

    On a WebSocket the transaction lasts until the route returns, and holds a database connection as long. A route that
    stays connected opens a transaction for each message instead: `async with runtime.database.transaction()`.
    """
    database = get_runtime(connection).database
    safe = connection.scope.get("method") in SAFE_METHODS
    async with database.reading() if safe else database.transaction() as session:
        yield session


# Function scope: the commit precedes the response, so that a client never sees a result that was not stored.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]


async def get_replica_session(connection: HTTPConnection) -> AsyncIterator[AsyncSession]:
    """Open a session for reading on the read replica (DATABASE_READ_URL), whose data may lag behind by seconds.

    Without a replica, or while it can't be reached, the session reads from the database itself.
    """
    database = await get_runtime(connection).database.replica()
    async with database.reading() as session:
        yield session


# For lists and reports that may miss the changes of the last seconds; not for what a user has just changed.
ReplicaSessionDep = Annotated[AsyncSession, Depends(get_replica_session, scope="function")]
