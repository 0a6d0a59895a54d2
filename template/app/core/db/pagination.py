"""Lists come in pages: `{"items", "total", "skip", "limit"}`."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import Depends, Query
from pydantic import BaseModel, ConfigDict, Field

MAX_LIMIT: Final = 100
MAX_SKIP: Final = 1_000_000
"""Maximum offset: more than anyone reads, and less than a database's limit."""


@dataclass(frozen=True, slots=True)
class PageParams:
    """The part of a list to return.

    Raises:
        ValueError: `skip` is not between 0 and `MAX_SKIP`, or `limit` not between 1 and `MAX_LIMIT`.
    """

    skip: int = 0
    limit: int = 20

    def __post_init__(self) -> None:
        if not 0 <= self.skip <= MAX_SKIP:
            raise ValueError(f"skip must be between 0 and {MAX_SKIP}.")
        if not 1 <= self.limit <= MAX_LIMIT:
            raise ValueError(f"limit must be between 1 and {MAX_LIMIT}.")


async def page_params(
    skip: Annotated[int, Query(ge=0, le=MAX_SKIP, description="Number of items to skip.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Maximum number of items to return.")] = 20,
) -> PageParams:
    """Read the page from the query. A coroutine, because FastAPI would run a plain function in a thread."""
    return PageParams(skip, limit)


PageDep = Annotated[PageParams, Depends(page_params)]


class ListQuery(BaseModel):
    """The query of a list route: the page, and in subclasses filters and `sort`.

    A subclass is the only query parameter of its route, `query: Annotated[InvoiceQuery, Query()]`:

        class InvoiceQuery(ListQuery):
            status: Status | None = None
            due_before: date | None = None
            sort: Literal["due_on", "-due_on"] | None = None

    Its fields are the names of `Repository.filters`. Unknown parameters are refused.
    """

    model_config = ConfigDict(extra="forbid")

    skip: int = Field(default=0, ge=0, le=MAX_SKIP, description="Number of items to skip.")
    limit: int = Field(default=20, ge=1, le=MAX_LIMIT, description="Maximum number of items to return.")

    @property
    def page(self) -> PageParams:
        """The page."""
        return PageParams(self.skip, self.limit)

    @property
    def filters(self) -> dict[str, object]:
        """The values of the filters that were sent."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: value
            for name, value in values.items()
            if name not in {"skip", "limit", "sort", "search"} and value is not None
        }


class Page[T](BaseModel):
    """A part of a list, and the length of the whole list."""

    items: list[T]
    total: int
    skip: int
    limit: int
