"""What routes ask for, as annotated types: `async def read(session: SessionDep) -> …`."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.runtime import Runtime, get_runtime

RuntimeDep = Annotated[Runtime, Depends(get_runtime)]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


async def get_session(request: Request, runtime: RuntimeDep) -> AsyncIterator[AsyncSession]:
    """One transaction a request, committed before the response is sent; a safe method only reads."""
    safe = request.method in SAFE_METHODS
    async with runtime.database.reading() if safe else runtime.database.transaction() as session:
        yield session


# Function scope: the commit comes before the response, so that a client never hears of what was not kept.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
