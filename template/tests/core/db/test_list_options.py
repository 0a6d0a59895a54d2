"""Filters, sorting, joins and computed fields of a page."""

from datetime import datetime, timedelta, timezone
from typing import Annotated, ClassVar, Literal

import pytest
from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.db.list_options import Computed, Filter, Join
from app.core.db.pagination import ListQuery, Page, PageParams
from app.core.errors import BadRequestError
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


OTHER_THING = aliased(Thing)
SIBLINGS = select(func.count()).where(col(OTHER_THING.owner_id) == col(Thing.owner_id)).scalar_subquery()
DOUBLED = col(Thing.code) * 2


class CountedRepository(ThingRepository):
    """Things, each with twice its code and the number of its owner's things."""

    computed: ClassVar = (Computed("doubled", DOUBLED), Computed("siblings", SIBLINGS))
    filters: ClassVar = {"doubled": Filter(DOUBLED), "siblings_below": Filter(SIBLINGS, "lt")}
    sortable: ClassVar = {"doubled": DOUBLED, "siblings": SIBLINGS}


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

    @pytest.mark.parametrize(
        "filters",
        [
            {"code": 2**31},
            {"above": -(2**70)},
            {"codes": [1, 2**31]},
            {"note": "a\0"},
            {"made_after": datetime(2026, 1, 1)},  # noqa: DTZ001 - as a query without an offset is read
            {"made_after": datetime.max.replace(tzinfo=timezone(timedelta(hours=-1)))},
        ],
        ids=repr,
    )
    async def test_refuse_values_that_no_row_can_have(
        self, things: ThingRepository, filters: dict[str, object]
    ) -> None:
        with pytest.raises(BadRequestError, match=next(iter(filters))):
            await codes(things, filters)

    async def test_refuse_unknown_names(self, things: ThingRepository) -> None:
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

    async def test_is_by_each_column_once(self, things: ThingRepository) -> None:
        with pytest.raises(BadRequestError, match="by name only once"):
            await codes(things, sort="name,code,-name")


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


class TestComputed:
    async def test_shows_sorts_and_filters_in_one_statement(self, things: ThingRepository, database: Database) -> None:
        await things.create_multi([{"name": "c", "code": 9}, {"name": "c", "code": 10}], owner_id=OTHER)
        counted = CountedRepository(things.session)

        class Shown(BaseModel):
            code: int
            doubled: int
            siblings: int

        with statements_of(database) as statements:
            page = await counted.page(Shown, PageParams(limit=3), sort="siblings,-doubled")
        assert len(statements) == 1
        assert [(item.siblings, item.doubled) for item in page.items] == [(2, 20), (2, 18), (4, 8)]
        assert page.total == 6
        few = await counted.page(Shown, ALL, owner_id=ME, filters={"siblings_below": 4, "doubled": 8})
        assert (few.items, few.total) == ([], 0)
        page = await counted.page(Shown, PageParams(skip=1, limit=1), filters={"siblings_below": 4})
        assert ([item.code for item in page.items], page.total) == ([9], 2)

    async def test_can_be_combined_with_a_join(self, things: ThingRepository) -> None:
        class Repository(CountedRepository):
            joins: ClassVar = JoinedRepository.joins

        class Shown(BaseModel):
            siblings: int
            plain_id: object

        things.session.add(Plain(id=ME))
        await things.session.flush()
        page = await Repository(things.session).page(Shown, ALL, sort="-siblings")
        assert [(item.siblings, item.plain_id) for item in page.items] == [(4, ME)] * 4


class TestRoute:
    async def test_takes_one_query_model(self, things: ThingRepository, build: Build) -> None:
        await things.session.commit()
        async with client_of(build(module(("GET", "/things", list_things)))) as client:
            answer = await client.get(f"{PUBLIC}/things", params={"above": 1, "sort": "-name", "limit": 2})
            assert [item["name"] for item in answer.json()["items"]] == ["b", "a"]
            assert answer.json()["total"] == 3
            for query in ({"sort": "code"}, {"limit": 101}, {"unheard": "of"}, {"above": "x"}):
                assert (await client.get(f"{PUBLIC}/things", params=query)).status_code == 422
