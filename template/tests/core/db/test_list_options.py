"""Filters, sorting and joins of a page, and writing many rows at once."""

from typing import Annotated, ClassVar, Literal

import pytest
from fastapi import Query
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.db.list_options import Filter, Join
from app.core.db.pagination import ListQuery, Page, PageParams
from app.core.errors import BadRequestError, ConflictError
from app.core.http.dependencies import SessionDep
from tests.core.applications import PUBLIC, Build, client_of, module
from tests.core.things import Plain, Thing, ThingRead, ThingRepository
from tests.statements import statements_of

ME, OTHER = uuid7(), uuid7()
ALL = PageParams()


class ThingQuery(ListQuery):
    """A list of things."""

    code: int | None = None
    above: int | None = None
    sort: Literal["name", "-name"] | None = None


async def list_things(session: SessionDep, query: Annotated[ThingQuery, Query()]) -> Page[ThingRead]:
    return await ThingRepository(session).page(ThingRead, query.page, filters=query.filters, sort=query.sort)


class JoinedRepository(ThingRepository):
    """Things, each with the plain thing that has its owner's key."""

    joins: ClassVar = (Join(Plain, col(Plain.id) == col(Thing.owner_id), {"plain_id": col(Plain.id)}),)
    filters: ClassVar = {"plain_id": Filter(col(Plain.id))}
    sortable: ClassVar = {"plain_id": col(Plain.id)}


@pytest.fixture
async def things(session: AsyncSession) -> ThingRepository:
    """The repository, with four things."""
    await (await session.connection()).run_sync(Thing.metadata.create_all)
    repository = ThingRepository(session)
    await repository.create_multi(
        {"name": name, "code": code, "owner_id": ME, "note": note}
        for name, code, note in (("b", 1, "One 100%"), ("a", 2, None), ("b", 3, "three"), ("a", 4, "FOUR"))
    )
    return repository


async def codes(
    things: ThingRepository, filters: dict[str, object] | None = None, sort: str | None = None
) -> list[int]:
    class Code(BaseModel):
        code: int

    return [item.code for item in (await things.page(Code, ALL, filters=filters, sort=sort)).items]


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({"code": 2}, [2]),
            ({"code": None}, [4, 3, 2, 1]),
            ({"codes": [1, 4]}, [4, 1]),
            ({"above": 2}, [4, 3]),
            ({"note": "four"}, [4]),
            ({"note": "%"}, [1]),
            ({"above": 1, "codes": [1, 2]}, [2]),
        ],
    )
    async def test_are_conditions(self, things: ThingRepository, filters: dict[str, object], found: list[int]) -> None:
        assert await codes(things, filters) == found

    async def test_are_only_those_that_the_repository_names(self, things: ThingRepository) -> None:
        with pytest.raises(TypeError, match="no filter owner_id"):
            await codes(things, {"owner_id": OTHER})


class TestSort:
    @pytest.mark.parametrize(
        ("sort", "found"),
        [("name", [4, 2, 3, 1]), ("-name", [3, 1, 4, 2]), ("-name,code", [1, 3, 2, 4]), ("code", [1, 2, 3, 4])],
    )
    async def test_is_stable_by_the_key(self, things: ThingRepository, sort: str, found: list[int]) -> None:
        assert await codes(things, sort=sort) == found

    @pytest.mark.parametrize("sort", ["owner_id", "name,", "--name", "name desc", "id; DROP TABLE things"])
    async def test_is_by_named_columns_only(self, things: ThingRepository, sort: str) -> None:
        with pytest.raises(BadRequestError, match="sorted by code, name"):
            await codes(things, sort=sort)


class TestJoin:
    async def test_shows_columns_of_another_table(self, things: ThingRepository) -> None:
        plain = Plain(id=ME)
        things.session.add(plain)
        await things.session.flush()
        await things.create({"name": "alone", "owner_id": OTHER})
        joined = JoinedRepository(things.session)

        class Shown(BaseModel):
            name: str
            plain_id: object

        page = await joined.page(Shown, ALL, sort="plain_id")
        assert page.total == 5
        assert {item.plain_id for item in page.items if item.name == "alone"} == {None}
        assert {item.plain_id for item in page.items if item.name != "alone"} == {ME}
        assert (await joined.page(Shown, ALL, filters={"plain_id": ME})).total == 4


class TestRoute:
    async def test_takes_one_query_model(self, things: ThingRepository, build: Build) -> None:
        await things.session.commit()
        async with client_of(build(module(("GET", "/things", list_things)))) as client:
            answer = await client.get(f"{PUBLIC}/things", params={"above": 1, "sort": "-name", "limit": 2})
            assert [item["name"] for item in answer.json()["items"]] == ["b", "a"]
            assert answer.json()["total"] == 3
            for query in ({"sort": "code"}, {"limit": 101}, {"unheard": "of"}, {"above": "x"}):
                assert (await client.get(f"{PUBLIC}/things", params=query)).status_code == 422


class TestMany:
    async def test_rows_are_created_at_once_or_not_at_all(self, things: ThingRepository, database: Database) -> None:
        with statements_of(database) as statements:
            await things.create_multi([{"name": str(number), "owner_id": OTHER} for number in range(50)])
        assert len(statements) == 1
        assert await things.count_by_owner(OTHER) == 50
        with pytest.raises(ConflictError, match="Thing already exists"):
            await things.create_multi([{"name": "a", "owner_id": ME, "code": code} for code in (7, 1)])

    async def test_rows_are_changed_in_one_statement(self, things: ThingRepository) -> None:
        loaded = await things.get_by_field(col(Thing.code), 1)
        assert loaded is not None
        before = loaded.updated_at
        assert await things.update_multi({"note": "new"}, col(Thing.name) == "b", owner_id=ME) == 2
        await things.session.refresh(loaded)
        assert loaded.note == "new"
        assert loaded.updated_at > before
        assert await things.update_multi({"note": "new"}, owner_id=OTHER) == 0
        with pytest.raises(TypeError, match="no field nonsense"):
            await things.update_multi({"nonsense": 1})
        with pytest.raises(ConflictError):
            await things.update_multi({"code": 9})
