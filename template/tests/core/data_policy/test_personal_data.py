"""Exporting and erasing the personal data of all modules, on a table that only the tests have."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.data_policy import personal_data
from app.core.data_policy.personal_data import erase_rows, export_user
from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module, PersonalData, modules_of
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.core.inbox.shop import make_tables
from tests.core.things import Plain, Thing

ME, OTHER = uuid7(), uuid7()


def mine(user_id: UUID) -> ColumnElement[bool]:
    return col(Thing.owner_id) == user_id


async def anonymise(_runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    """Keep the user's rows and remove their notes."""
    await session.execute(update(Thing).where(mine(user_id)).values(note=None))


THINGS = Module(name="things", personal_data=(PersonalData(model=Thing, belongs=mine),))
NO_NAMES = Module(
    name="things",
    personal_data=(
        PersonalData(model=Plain, belongs=lambda user_id: col(Plain.id) == user_id),
        PersonalData(model=Thing, belongs=mine, withheld=frozenset({"name"}), erase=anonymise),
    ),
)


@pytest.fixture(params=[THINGS], ids=["plain"])
async def runtime(database: Database, request: pytest.FixtureRequest) -> AsyncIterator[Runtime]:
    """A runtime with one module, and things of two owners."""
    async with running(create_runtime((core, request.param), database=database), background=False) as started:
        await make_tables(started)
        async with started.database.transaction() as session:
            for number in range(5):
                session.add(Thing(owner_id=ME, name=f"mine {number}", note="“né”", code=number))
            session.add(Thing(owner_id=OTHER, name="another's"))
        yield started


async def export(runtime: Runtime, user_id: UUID = ME) -> dict[str, Any]:
    exported: dict[str, Any] = json.loads(b"".join([piece async for piece in export_user(runtime, user_id)]))
    return exported


async def erase(runtime: Runtime) -> None:
    for module in modules_of(runtime):
        async with runtime.database.transaction() as session:
            await erase_rows(runtime, session, module, ME)


async def count(runtime: Runtime, *where: ColumnElement[bool]) -> int:
    async with runtime.database.reading() as session:
        return (await session.scalars(select(func.count()).select_from(Thing).where(*where))).one()


class TestExport:
    async def test_has_every_column_of_the_rows_of_the_user_only(self, runtime: Runtime) -> None:
        exported = await export(runtime)

        assert exported["user_id"] == str(ME)
        assert list(exported["tables"]) == ["things"]
        assert [row["name"] for row in exported["tables"]["things"]] == [f"mine {number}" for number in range(5)]
        row = exported["tables"]["things"][3]
        assert row.keys() == set(Thing.model_fields)
        assert (row["note"], row["code"], row["owner_id"]) == ("“né”", 3, str(ME))

    @pytest.mark.parametrize("batch", [1, 2, 5, 6])
    async def test_is_whole_however_large_a_batch_is(
        self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, batch: int
    ) -> None:
        monkeypatch.setattr(personal_data, "BATCH", batch)
        assert len((await export(runtime))["tables"]["things"]) == 5

    async def test_has_rows_that_are_only_hidden(self, runtime: Runtime) -> None:
        async with runtime.database.transaction() as session:
            await session.execute(update(Thing).values(deleted_at=utc_now()))
        assert len((await export(runtime))["tables"]["things"]) == 5

    async def test_of_an_unknown_user_is_empty(self, runtime: Runtime) -> None:
        assert (await export(runtime, uuid7()))["tables"] == {"things": []}

    @pytest.mark.parametrize("runtime", [NO_NAMES], indirect=True, ids=["two tables"])
    async def test_omits_withheld_columns(self, runtime: Runtime) -> None:
        tables = (await export(runtime))["tables"]
        assert list(tables) == ["plain_things", "things"]
        assert tables["things"][0].keys() == set(Thing.model_fields) - {"name"}


class TestErasure:
    async def test_removes_the_rows_of_the_user_only(self, runtime: Runtime) -> None:
        await erase(runtime)
        assert await count(runtime, mine(ME)) == 0
        assert await count(runtime, mine(OTHER)) == 1

    @pytest.mark.parametrize("runtime", [NO_NAMES], indirect=True, ids=["two tables"])
    async def test_calls_the_erasure_of_the_module(self, runtime: Runtime) -> None:
        await erase(runtime)
        assert await count(runtime, mine(ME), col(Thing.note).is_(None)) == 5
