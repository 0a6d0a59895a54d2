"""The generic repository, on a table of its own."""

from uuid import UUID

import pytest
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.db.pagination import MAX_LIMIT, MAX_SKIP, PageParams
from app.core.db.repository import Repository
from app.core.errors import ConflictError, NotFoundError
from app.core.runtime import Runtime
from tests.core.things import Plain, PlainRepository, Thing, ThingCreate, ThingRead, ThingRepository, ThingUpdate
from tests.statements import statements_of

ME, OTHER = uuid7(), uuid7()


class OwnerlessRepository(Repository[Thing]):
    """The same table, without the column of the owner."""

    model = Thing


@pytest.fixture
async def things(session: AsyncSession) -> ThingRepository:
    """The repository, on an empty table that goes with the test."""
    await (await session.connection()).run_sync(Thing.metadata.create_all)
    return ThingRepository(session)


async def make(things: ThingRepository, *names: str, owner_id: UUID = ME) -> list[Thing]:
    """Create one thing for each name, the oldest first."""
    return [await things.create_with_owner(ThingCreate(name=name), owner_id) for name in names]


class TestGet:
    async def test_finds_the_row_by_its_key(self, things: ThingRepository) -> None:
        (thing,) = await make(things, "one")
        assert await things.get(thing.id) is thing

    async def test_finds_nothing_under_another_key(self, things: ThingRepository) -> None:
        assert await things.get(uuid7()) is None

    async def test_hides_the_rows_of_other_owners(self, things: ThingRepository) -> None:
        (thing,) = await make(things, "one")
        assert await things.get(thing.id, owner_id=OTHER) is None
        assert await things.get(thing.id, owner_id=ME) is thing

    async def test_requiring_a_missing_row_raises_an_error_with_the_key(self, things: ThingRepository) -> None:
        key = uuid7()
        with pytest.raises(NotFoundError) as caught:
            await things.require(key)
        assert caught.value.details == {"resource": "Thing", "id": str(key)}


class TestGetByField:
    async def test_finds_the_oldest_row_with_the_value(self, things: ThingRepository) -> None:
        first, _second = await make(things, "same", "same")
        assert await things.get_by_field(col(Thing.name), "same") is first

    async def test_ignores_deleted_rows(self, things: ThingRepository) -> None:
        (thing,) = await make(things, "one")
        await things.soft_delete(thing)
        assert await things.get_by_field(col(Thing.name), "one") is None
        assert await things.get_by_field(col(Thing.name), "one", with_deleted=True) is thing


class TestGetMulti:
    async def test_lists_the_newest_first(self, things: ThingRepository) -> None:
        made = await make(things, "one", "two", "three")
        assert list(await things.get_multi()) == made[::-1]

    async def test_skips_and_limits(self, things: ThingRepository) -> None:
        made = await make(things, "one", "two", "three")
        assert list(await things.get_multi(skip=1, limit=1)) == [made[1]]

    async def test_takes_conditions(self, things: ThingRepository) -> None:
        made = await make(things, "one", "two")
        assert list(await things.get_multi(col(Thing.name) == "two")) == [made[1]]

    async def test_lists_by_owner(self, things: ThingRepository) -> None:
        await make(things, "one")
        theirs = await make(things, "two", owner_id=OTHER)
        assert list(await things.get_multi_by_owner(OTHER)) == theirs


class TestCount:
    async def test_counts_visible_rows(self, things: ThingRepository) -> None:
        made = await make(things, "one", "two")
        await make(things, "three", owner_id=OTHER)
        await things.soft_delete(made[0])
        assert await things.count() == 2
        assert await things.count(with_deleted=True) == 3
        assert await things.count(owner_id=ME) == 1
        assert await things.count(col(Thing.name) == "three") == 1


class TestCreate:
    async def test_sets_the_key_and_two_times_with_time_zones(self, things: ThingRepository) -> None:
        thing = await things.create({"name": "one", "owner_id": ME})
        assert thing.id.version == 7
        assert thing.created_at.tzinfo is not None
        assert thing.updated_at.tzinfo is not None

    async def test_an_owner_in_the_data_is_ignored(self, things: ThingRepository) -> None:
        thing = await things.create_with_owner({"name": "one", "owner_id": OTHER}, ME)
        assert thing.owner_id == ME

    async def test_a_duplicate_value_is_a_conflict(self, things: ThingRepository) -> None:
        await things.create_with_owner(ThingCreate(name="one", code=1), ME)
        with pytest.raises(ConflictError):
            await things.create_with_owner(ThingCreate(name="two", code=1), ME)

    async def test_another_violation_is_raised_unchanged(self, things: ThingRepository) -> None:
        with pytest.raises(IntegrityError):
            await things.create({"owner_id": ME})

    async def test_a_field_that_does_not_exist_is_named(self, things: ThingRepository) -> None:
        with pytest.raises(TypeError, match="Thing has no field nmae"):
            await things.create_with_owner({"nmae": "one"}, ME)


class TestUpdate:
    async def test_changes_the_fields_that_were_set_and_the_time(self, things: ThingRepository) -> None:
        thing = await things.create_with_owner(ThingCreate(name="one", note="kept"), ME)
        before = thing.updated_at
        await things.update(thing, ThingUpdate(name="two"))
        assert (thing.name, thing.note) == ("two", "kept")
        assert thing.updated_at > before

    async def test_an_explicit_null_is_written(self, things: ThingRepository) -> None:
        thing = await things.create_with_owner(ThingCreate(name="one", note="gone"), ME)
        await things.update(thing, ThingUpdate(note=None))
        assert (thing.name, thing.note) == ("one", None)

    async def test_a_duplicate_value_is_a_conflict(self, things: ThingRepository) -> None:
        await things.create_with_owner(ThingCreate(name="one", code=1), ME)
        (thing,) = await make(things, "two")
        with pytest.raises(ConflictError):
            await things.update(thing, {"code": 1})

    @pytest.mark.parametrize("field", ["id", "created_at", "updated_at", "owner_id"])
    async def test_protected_columns_cannot_be_set(self, things: ThingRepository, field: str) -> None:
        (thing,) = await make(things, "one")
        before = getattr(thing, field)
        for update in (
            things.update(thing, {field: before}),
            things.update_multi({field: before}),
            things.update_each({thing.id: {field: before}}),
        ):
            with pytest.raises(TypeError, match=f"protected fields: {field}"):
                await update

    async def test_only_soft_delete_and_restore_hide_and_show_one_row(self, things: ThingRepository) -> None:
        one, two = await make(things, "one", "two")
        with pytest.raises(TypeError, match="protected fields: deleted_at"):
            await things.update(one, {"deleted_at": utc_now()})
        assert await things.update_multi({"deleted_at": utc_now()}, col(Thing.id) == two.id) == 1
        assert list(await things.get_multi()) == [one]

    async def test_without_an_owner_its_column_is_a_field_like_the_others(self, session: AsyncSession) -> None:
        await (await session.connection()).run_sync(Thing.metadata.create_all)
        ownerless = OwnerlessRepository(session)
        thing = await ownerless.create({"name": "one", "owner_id": ME})
        assert (await ownerless.update(thing, {"owner_id": OTHER})).owner_id == OTHER


class TestDelete:
    async def test_removes_the_row(self, things: ThingRepository) -> None:
        (thing,) = await make(things, "one")
        await things.delete(thing)
        assert await things.get(thing.id, with_deleted=True) is None


class TestSoftDelete:
    async def test_hides_the_row_until_it_is_restored(self, things: ThingRepository) -> None:
        (thing,) = await make(things, "one")
        await things.soft_delete(thing)
        assert await things.get(thing.id) is None
        assert await things.get(thing.id, with_deleted=True) is thing
        await things.restore(thing)
        assert await things.get(thing.id) is thing

    async def test_needs_a_model_with_soft_delete(self, session: AsyncSession) -> None:
        repository = PlainRepository(session)
        with pytest.raises(TypeError, match="deleted_at"):
            await repository.soft_delete(Plain())


class TestPageParams:
    @pytest.mark.parametrize(
        ("skip", "limit"), [(-1, 20), (MAX_SKIP + 1, 20), (0, 0), (0, -1), (0, MAX_LIMIT + 1), (0, 2**63)]
    )
    def test_are_bounded(self, skip: int, limit: int) -> None:
        with pytest.raises(ValueError, match="must be between"):
            PageParams(skip, limit)

    def test_the_bounds_are_allowed(self) -> None:
        assert PageParams(MAX_SKIP, MAX_LIMIT) == PageParams(skip=MAX_SKIP, limit=MAX_LIMIT)
        assert PageParams(0, 1).limit == 1


class TestPage:
    async def test_returns_the_items_and_the_total(self, things: ThingRepository) -> None:
        await make(things, "one", "two", "three")
        page = await things.page(ThingRead, PageParams(skip=1, limit=1))
        assert [item.name for item in page.items] == ["two"]
        assert (page.total, page.skip, page.limit) == (3, 1, 1)

    async def test_is_empty_without_rows(self, things: ThingRepository) -> None:
        page = await things.page(ThingRead, PageParams())
        assert (page.items, page.total) == ([], 0)

    async def test_past_the_end_has_the_total(self, things: ThingRepository) -> None:
        await make(things, "one", "two")
        page = await things.page(ThingRead, PageParams(skip=10))
        assert (page.items, page.total) == ([], 2)

    async def test_past_the_end_of_an_empty_list_has_the_total_zero(self, things: ThingRepository) -> None:
        assert (await things.page(ThingRead, PageParams(skip=10))).total == 0

    async def test_omits_deleted_rows_and_those_of_other_owners(self, things: ThingRepository) -> None:
        made = await make(things, "one", "two")
        await make(things, "three", owner_id=OTHER)
        await things.soft_delete(made[0])
        page = await things.page(ThingRead, PageParams(), owner_id=ME)
        assert ([item.name for item in page.items], page.total) == (["two"], 1)
        everything = await things.page(ThingRead, PageParams(), owner_id=ME, with_deleted=True)
        assert everything.total == 2

    async def test_takes_conditions_and_another_order(self, things: ThingRepository) -> None:
        await make(things, "b", "c", "a", "d")
        page = await things.page(ThingRead, PageParams(), col(Thing.name) != "d", order_by=[col(Thing.name)])
        assert ([item.name for item in page.items], page.total) == (["a", "b", "c"], 3)

    async def test_is_one_statement(self, things: ThingRepository, database: Database) -> None:
        await make(things, "one", "two")
        with statements_of(database) as statements:
            await things.page(ThingRead, PageParams(), owner_id=ME, search="o")
        assert len(statements) == 1

    async def test_is_the_same_on_a_separate_connection(self, live_runtime: Runtime) -> None:
        async with live_runtime.database.transaction() as session:
            await (await session.connection()).run_sync(Thing.metadata.create_all)
            await make(ThingRepository(session), "one", "two")
        for params in (PageParams(limit=1), PageParams(skip=5)):
            with statements_of(live_runtime.database) as statements:
                async with live_runtime.database.reading() as session:
                    page = await ThingRepository(session).page(ThingRead, params, owner_id=ME)
            assert page.total == 2
            assert len(statements) == (1 if page.items else 2)

    async def test_sees_pending_changes_of_its_transaction(self, things: ThingRepository) -> None:
        (thing,) = await make(things, "one")
        thing.name = "two"
        assert [item.name for item in (await things.page(ThingRead, PageParams())).items] == ["two"]

    async def test_a_field_without_a_column_is_named(self, things: ThingRepository) -> None:
        class Wrong(BaseModel):
            id: UUID
            colour: str

        with pytest.raises(TypeError, match="Wrong has fields that Thing has no column for: colour"):
            await things.page(Wrong, PageParams())


class TestSearch:
    @pytest.mark.parametrize(
        ("search", "found"),
        [("LPH", ["alpha"]), ("%", ["100%"]), ("_", ["a_b"]), ("\\", ["c:\\d"]), ("noted", ["axb"]), ("zzz", [])],
    )
    async def test_finds_the_text_anywhere_without_wildcards(
        self, things: ThingRepository, search: str, found: list[str]
    ) -> None:
        await make(things, "alpha", "100%", "a_b", "c:\\d")
        await things.create_with_owner(ThingCreate(name="axb", note="is Noted here"), ME)
        page = await things.page(ThingRead, PageParams(), search=search)
        assert ([item.name for item in page.items], page.total) == (found, len(found))

    async def test_of_an_empty_text_finds_all_rows(self, things: ThingRepository) -> None:
        await make(things, "one")
        assert (await things.page(ThingRead, PageParams(), search="")).total == 1

    async def test_needs_columns_to_search(self, session: AsyncSession) -> None:
        with pytest.raises(TypeError, match="PlainRepository has no searchable columns"):
            await PlainRepository(session).page(ThingRead, PageParams(), search="a")

    async def test_by_owner_needs_an_owner(self, session: AsyncSession) -> None:
        with pytest.raises(TypeError, match="PlainRepository has no owner"):
            await PlainRepository(session).get_multi_by_owner(ME)
