"""One transaction a request, committed before the answer."""

from collections.abc import Callable
from typing import Any

import pytest
from fastapi import HTTPException
from sqlalchemy import select
from sqlmodel import col

from app.core.db.database import Database
from app.core.db.pagination import Page, PageDep
from app.core.http.dependencies import SessionDep
from app.core.inbox.models import InboxEvent
from tests.core.applications import PUBLIC, Build, client_of, error_of, module

URL = f"{PUBLIC}/things"


def event() -> InboxEvent:
    """Any row."""
    return InboxEvent(provider="shop", event_id="one", payload={}, handler="shop.handle")


async def add(session: SessionDep) -> str:
    """Write a row."""
    session.add(event())
    return "done"


async def add_and_refuse(session: SessionDep) -> str:
    """Write a row and raise an error."""
    session.add(event())
    await session.flush()
    raise HTTPException(418)


async def add_twice(session: SessionDep) -> str:
    """Write a row that the commit rejects."""
    session.add_all([event(), event()])
    return "done"


async def names(database: Database) -> list[str]:
    """Return the names of the stored rows."""
    async with database.reading() as session:
        return list(await session.scalars(select(col(InboxEvent.event_id))))


class TestSession:
    async def test_is_committed_when_the_route_returns(self, build: Build, database: Database) -> None:
        async with client_of(build(module(("POST", "/things", add)))) as client:
            assert (await client.post(URL)).status_code == 200
        assert await names(database) == ["one"]

    async def test_is_rolled_back_when_the_route_raises(self, build: Build, database: Database) -> None:
        async with client_of(build(module(("POST", "/things", add_and_refuse)))) as client:
            assert (await client.post(URL)).status_code == 418
        assert await names(database) == []

    async def test_that_cannot_be_committed_is_an_error_and_not_an_answer(
        self, build: Build, database: Database
    ) -> None:
        async with client_of(build(module(("POST", "/things", add_twice)))) as client:
            answer = await client.post(URL)
        assert (answer.status_code, error_of(answer)["code"]) == (500, "INTERNAL_ERROR")
        assert await names(database) == []

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    async def test_of_a_safe_method_writes_nothing(self, build: Build, database: Database, method: str) -> None:
        async with client_of(build(module((method, "/things", add)))) as client:
            assert (await client.request(method, URL)).status_code == 500
        assert await names(database) == []


class TestPage:
    @pytest.fixture
    def echo(self) -> Callable[..., Any]:
        """Return the requested page."""

        async def list_things(page: PageDep) -> Page[int]:
            return Page(items=[], total=0, skip=page.skip, limit=page.limit)

        return list_things

    @pytest.mark.parametrize(
        ("query", "page"),
        [("", (0, 20)), ("?skip=40&limit=100", (40, 100)), ("?limit=1", (0, 1)), ("?skip=1000000", (1_000_000, 20))],
    )
    async def test_is_read_from_the_query(
        self, build: Build, echo: Callable[..., Any], query: str, page: tuple[int, int]
    ) -> None:
        async with client_of(build(module(("GET", "/things", echo)))) as client:
            answer = (await client.get(URL + query)).json()
        assert list(answer) == ["items", "total", "skip", "limit"]
        assert (answer["skip"], answer["limit"]) == page

    @pytest.mark.parametrize(
        "query", ["?limit=101", "?limit=0", "?limit=-1", "?skip=-1", f"?skip={10**30}", "?skip=a", "?limit="]
    )
    async def test_that_is_invalid_is_refused(self, build: Build, echo: Callable[..., Any], query: str) -> None:
        async with client_of(build(module(("GET", "/things", echo)))) as client:
            answer = await client.get(URL + query)
        assert (answer.status_code, error_of(answer)["code"]) == (422, "VALIDATION_ERROR")
