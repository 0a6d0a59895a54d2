"""What routes ask for, as annotated types: `async def read(session: SessionDep) -> …`."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from app.core.context import Actor, context_of
from app.core.errors import UnauthorizedError
from app.core.runtime import Runtime, get_runtime

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def runtime_of(connection: HTTPConnection) -> Runtime:
    """The application's runtime; a coroutine, since FastAPI would run a plain function in a thread."""
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


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """One transaction a request, committed before the response is sent; a safe method only reads."""
    database = get_runtime(request).database
    safe = request.method in SAFE_METHODS
    async with database.reading() if safe else database.transaction() as session:
        yield session


# Function scope: the commit comes before the response, so that a client never hears of what was not kept.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
