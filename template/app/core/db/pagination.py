"""Lists come in pages: `{"items", "total", "skip", "limit"}`."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from pydantic import BaseModel

MAX_LIMIT = 100
MAX_SKIP = 1_000_000
"""Far enough for everybody who reads, and below what a database takes for an offset."""


@dataclass(frozen=True, slots=True)
class PageParams:
    """Which part of a list is wanted."""

    skip: int = 0
    limit: int = 20


async def page_params(
    skip: Annotated[int, Query(ge=0, le=MAX_SKIP, description="How many to leave out.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="How many to answer at most.")] = 20,
) -> PageParams:
    """Reads the page from the query; a coroutine, since FastAPI would run a plain function in a thread."""
    return PageParams(skip, limit)


PageDep = Annotated[PageParams, Depends(page_params)]


class Page[T](BaseModel):
    """A part of a list, and how long the whole of it is."""

    items: list[T]
    total: int
    skip: int
    limit: int
