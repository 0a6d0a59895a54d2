"""Writing many rows at once."""

from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.db import bulk
from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.errors import ConflictError
from tests.core.things import Thing, ThingRepository, ThingUpdate
from tests.statements import statements_of

ME, OTHER = uuid7(), uuid7()


@pytest.fixture
async def things(session: AsyncSession) -> ThingRepository:
    """The repository, with four things."""
    await (await session.connection()).run_sync(Thing.metadata.create_all)
    repository = ThingRepository(session)
    await repository.create_multi([{"name": name, "code": code} for code, name in enumerate("abcd", 1)], owner_id=ME)
    return repository


async def thing(things: ThingRepository, code: int) -> Thing:
    found = await things.get_by_field(col(Thing.code), code)
    assert found is not None
    return found


class TestCreateMulti:
    async def test_adds_all_rows_in_one_statement(self, things: ThingRepository, database: Database) -> None:
        with statements_of(database) as statements:
            await things.create_multi(({"name": str(number)} for number in range(bulk.MAX_BULK_ROWS)), owner_id=OTHER)
        assert len(statements) == 1

    async def test_an_owner_in_the_data_is_ignored(self, things: ThingRepository) -> None:
        made = await things.create_multi([{"name": "x", "owner_id": ME}, {"name": "y"}], owner_id=OTHER)
        assert {each.owner_id for each in made} == {OTHER}
        assert await things.count_by_owner(OTHER) == 2

    async def test_adds_all_rows_or_none(self, things: ThingRepository) -> None:
        with pytest.raises(ConflictError, match="Thing already exists"):
            async with things.session.begin_nested():
                await things.create_multi([{"name": "x", "code": code} for code in (7, 1)], owner_id=ME)
        assert await things.count() == 4

    async def test_has_a_limit(self, things: ThingRepository) -> None:
        endless = iter(lambda: {"name": "x", "owner_id": ME}, None)
        with pytest.raises(ValueError, match="At most 1000 rows"):
            await things.create_multi(endless)
        assert await things.count() == 4


class TestUpdateMulti:
    async def test_changes_rows_in_one_statement(self, things: ThingRepository, database: Database) -> None:
        loaded = await thing(things, 1)
        before = loaded.updated_at
        with statements_of(database) as statements:
            assert await things.update_multi({"note": "new"}, col(Thing.code) <= 2, owner_id=ME) == 2
        assert len(statements) == 1
        assert loaded.note == "new"
        assert loaded.updated_at > before
        await things.session.refresh(loaded)
        assert loaded.note == "new"
        assert loaded.updated_at > before

    async def test_refuses_unknown_fields_and_duplicate_values(self, things: ThingRepository) -> None:
        assert await things.update_multi({"note": "new"}, owner_id=OTHER) == 0
        with pytest.raises(TypeError, match="no field nonsense"):
            await things.update_multi({"nonsense": 1})
        with pytest.raises(ConflictError):
            await things.update_multi({"code": 9})


class TestUpdateEach:
    async def test_changes_each_row_to_its_own_values_in_one_statement(
        self, things: ThingRepository, database: Database
    ) -> None:
        one, two, three = [await thing(things, code) for code in (1, 2, 3)]
        before = utc_now()
        with statements_of(database) as statements:
            changed = await things.update_each({one.id: {"name": "x", "note": "new"}, two.id: ThingUpdate(name="y")})
        assert changed == 2
        assert len(statements) == 1
        for refresh in (False, True):
            if refresh:
                things.session.expunge_all()
                one, two, three = [await thing(things, code) for code in (1, 2, 3)]
            assert [(each.name, each.note) for each in (one, two, three)] == [("x", "new"), ("y", None), ("c", None)]
            assert one.updated_at == two.updated_at >= before > three.updated_at
        assert not things.session.dirty

    @pytest.mark.parametrize("name", ["code", "deleted_at", "note"])
    async def test_clears_columns_of_any_type(self, things: ThingRepository, name: str) -> None:
        one, two = await thing(things, 1), await thing(things, 2)
        assert await things.update_each({one.id: {name: None}, two.id: {"name": "x"}}) == 2
        assert await things.update_each({one.id: {name: None}}) == 1
        await things.session.refresh(one)
        assert getattr(one, name) is None

    async def test_does_not_change_invisible_rows(self, things: ThingRepository) -> None:
        (theirs,) = await things.create_multi([{"name": "theirs"}], owner_id=OTHER)
        mine, deleted = await thing(things, 1), await thing(things, 2)
        await things.soft_delete(deleted)
        changes: dict[UUID, dict[str, object]] = {
            each: {"name": "new"} for each in (theirs.id, mine.id, deleted.id, uuid7())
        }
        assert await things.update_each(changes, owner_id=ME) == 1
        assert [each.name for each in (theirs, mine, deleted)] == ["theirs", "new", "b"]
        await things.session.refresh(theirs)
        assert theirs.name == "theirs"

    async def test_sends_pending_changes_first(self, things: ThingRepository) -> None:
        loaded = await thing(things, 1)
        loaded.name = "pending"
        assert await things.update_each({loaded.id: {"note": "new"}}) == 1
        await things.session.refresh(loaded)
        assert (loaded.name, loaded.note) == ("pending", "new")

    async def test_changes_all_rows_or_none(self, things: ThingRepository) -> None:
        one, two = await thing(things, 1), await thing(things, 2)
        with pytest.raises(ConflictError):
            async with things.session.begin_nested():
                await things.update_each({one.id: {"name": "new"}, two.id: {"code": 3}})
        await things.session.refresh(one)
        assert one.name == "a"

    async def test_has_limits(self, things: ThingRepository, monkeypatch: pytest.MonkeyPatch) -> None:
        assert await things.update_each({}) == 0
        with pytest.raises(TypeError, match="protected fields: id"):
            await things.update_multi({"id": uuid7()}, col(Thing.code) == 1)
        with pytest.raises(TypeError, match="no field nonsense"):
            await things.update_each({uuid7(): {"nonsense": 1}})
        with pytest.raises(TypeError, match="protected fields: id"):
            await things.update_each({uuid7(): {"id": uuid7()}})
        with pytest.raises(ValueError, match="At most 1000 rows"):
            await things.update_each({uuid7(): {} for _ in range(1001)})
        monkeypatch.setattr(bulk, "MAX_BULK_VALUES", 3)
        with pytest.raises(ValueError, match="At most 3 values"):
            await things.update_each({uuid7(): {"name": "x"} for _ in range(2)})

    async def test_accepts_the_documented_number_of_values(self, things: ThingRepository) -> None:
        made = await things.create_multi([{"name": "x"}] * bulk.MAX_BULK_ROWS, owner_id=OTHER)
        changes: dict[UUID, dict[str, object]] = {
            each.id: {"name": str(number), "note": str(number), "code": number + 100}
            for number, each in enumerate(made)
        }
        assert await things.update_each(changes) == bulk.MAX_BULK_ROWS
        assert made[-1].code == 1099
