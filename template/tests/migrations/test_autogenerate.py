"""The differences that `app db revision` and `app db check` find and ignore."""

import asyncio
from collections.abc import Callable, Iterator
from enum import StrEnum
from uuid import UUID

import pytest
from sqlalchemy import CheckConstraint, Column, Enum, Integer, MetaData, String, Table, Uuid, text
from sqlalchemy.exc import DBAPIError

from app.core.db.columns import enum_type
from app.core.db.models import metadata
from app.kit.user_error import UserError
from app.migrate import migrations
from app.migrate.database_state import on_database
from app.migrate.differences import Differences, Written, differences, make_revision
from app.migrate.renames import Choices

type Define = Callable[..., Table]
pytestmark = pytest.mark.usefixtures("folder")


class Status(StrEnum):
    """An invoice's state."""

    DRAFT = "draft"
    SENT = "sent"


class LongerStatus(StrEnum):
    """The same, with a member more."""

    DRAFT = "draft"
    SENT = "sent"
    PAID = "it's paid"


@pytest.fixture
def define() -> Iterator[Define]:
    """Define the table of invoices, or a changed one."""

    def again(*items: Column[object] | CheckConstraint, name: str = "invoices") -> Table:
        forget(metadata)
        return Table(name, metadata, Column[UUID]("id", Uuid, primary_key=True), *items)

    yield again
    forget(metadata)


def forget(tables: MetaData) -> None:
    for name in ("invoices", "bills"):
        if name in tables.tables:
            tables.remove(tables.tables[name])


async def execute(url: str, statement: str) -> None:
    await asyncio.to_thread(on_database, url, lambda connection: connection.execute(text(statement)))


async def revise(url: str, choices: Choices | None = None) -> Written:
    written = await asyncio.to_thread(make_revision, url, "Change", choices=choices)
    await asyncio.to_thread(migrations.upgrade, url)
    return written


async def agree(url: str) -> bool:
    return await asyncio.to_thread(differences, url) == Differences([], [])


class TestForeignObjects:
    async def test_are_kept_and_listed(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("note", String(20), nullable=True))
        await revise(url)
        await execute(url, "CREATE TABLE spatial_ref_sys (srid INTEGER PRIMARY KEY, text VARCHAR(20))")
        await execute(url, "CREATE INDEX by_hand ON invoices (note)")
        await execute(url, "ALTER TABLE invoices ADD COLUMN hand_made INTEGER")
        found = await asyncio.to_thread(differences, url)
        assert found.lines == []
        (note,) = found.notes
        for name in ("table spatial_ref_sys", "index by_hand of invoices", "column hand_made of invoices"):
            assert name in note
        written = await asyncio.to_thread(make_revision, url, "Nothing")
        assert written.path is None
        assert written.notes == found.notes

    async def test_are_kept_if_a_column_of_the_models_has_the_same_name(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("note", String(20), nullable=True))
        await revise(url)
        await execute(url, "CREATE TABLE note (id INTEGER PRIMARY KEY)")
        assert await asyncio.to_thread(differences, url) == Differences(
            [], ["Left alone, as no revision has created it: table note."]
        )

    async def test_are_kept_if_an_index_has_the_name_of_a_column(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("note", String(20), nullable=True))
        await revise(url)
        await execute(url, "CREATE INDEX note ON invoices (note)")
        assert await asyncio.to_thread(differences, url) == Differences(
            [], ["Left alone, as no revision has created it: index note of invoices."]
        )

    async def test_exclude_objects_that_a_revision_created(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        small = CheckConstraint("length(note) < 10", name="small")
        define(Column("note", String(20), nullable=True, index=True), Column("number", String(9), unique=True), small)
        await revise(url)
        define(Column("note", String(20), nullable=True), Column("number", String(9)))
        written = await revise(url)
        assert written.path is not None
        text = written.path.read_text()
        for name in ("ix_invoices_note", "uq_invoices_number", "ck_invoices_small"):
            assert name in text
        assert await agree(url)


class TestRemovedModel:
    async def test_is_dropped_with_a_warning(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("note", String(20), nullable=True))
        await revise(url)
        forget(metadata)
        written = await revise(url)
        assert written.notes == ["Warning: the revision drops table invoices, with all values."]
        assert await agree(url)
        await asyncio.to_thread(migrations.downgrade, url, "app@base")


class TestRename:
    async def test_of_a_column_is_confirmed_and_written(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("note", String(20), nullable=True, index=True))
        await revise(url)
        await execute(url, "INSERT INTO invoices VALUES ('00000000000000000000000000000001', 'kept')")
        define(Column("comment", String(20), nullable=True, index=True))
        with pytest.raises(UserError, match=r"(?s)--rename invoices.note=comment.*--drop invoices.note"):
            await asyncio.to_thread(make_revision, url, "Change")
        await revise(url, Choices.parse(["invoices.note=comment"], []))
        assert await value(url, "SELECT comment FROM invoices") == "kept"
        assert await agree(url)
        await asyncio.to_thread(migrations.downgrade, url, "app@-1")
        assert await value(url, "SELECT note FROM invoices") == "kept"
        await asyncio.to_thread(migrations.upgrade, url)
        assert await agree(url)

    async def test_is_not_written_if_the_column_is_dropped(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("note", String(20), nullable=True))
        await revise(url)
        define(Column("comment", String(20), nullable=True))
        written = await revise(url, Choices.parse([], ["invoices.note"]))
        assert written.notes == ["Warning: the revision drops column invoices.note, with all values."]
        assert await agree(url)

    async def test_of_a_table_is_reported(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("note", String(20), nullable=True))
        await revise(url)
        define(Column("note", String(20), nullable=True), name="bills")
        with pytest.raises(UserError, match=r'(?s)op.rename_table\("invoices", "bills"\).*--drop invoices'):
            await asyncio.to_thread(make_revision, url, "Change")
        await revise(url, Choices.parse([], ["invoices"]))
        assert await agree(url)

    @pytest.mark.parametrize("text", ["invoices", "invoices.note", "invoices.note=", "=x", "a.b=c d"])
    def test_has_one_form(self, text: str) -> None:
        with pytest.raises(UserError, match=r"TABLE\.OLD=NEW"):
            Choices.parse([text], [])


class TestEnum:
    async def test_gets_a_member_and_loses_it_again(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("status", enum_type(Status), nullable=False))
        await revise(url)
        assert await agree(url)
        define(Column("status", enum_type(LongerStatus, "status"), nullable=False))
        found = await asyncio.to_thread(differences, url)
        assert any("it''s paid" in line for line in found.lines)
        insert = "INSERT INTO invoices VALUES ('00000000000000000000000000000001', 'it''s paid')"
        with pytest.raises(DBAPIError):
            await execute(url, insert)
        await revise(url)
        assert await agree(url)
        await execute(url, insert)
        await execute(url, "DELETE FROM invoices")
        await asyncio.to_thread(migrations.downgrade, url, "app@-1")
        with pytest.raises(DBAPIError):
            await execute(url, insert)
        await asyncio.to_thread(migrations.upgrade, url)
        assert await agree(url)

    async def test_is_added_to_a_table(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define()
        await revise(url)
        define(Column("status", enum_type(Status), nullable=True))
        await revise(url)
        assert await agree(url)
        with pytest.raises(DBAPIError):
            await execute(url, "INSERT INTO invoices VALUES ('00000000000000000000000000000001', 'nonsense')")
        await asyncio.to_thread(migrations.downgrade, url, "app@base")

    async def test_of_the_database_is_compared(self, url: str, define: Define) -> None:
        if not url.startswith("postgresql"):
            return
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("status", Enum("draft", name="native_status"), nullable=True))
        await revise(url)
        define(Column("status", Enum("draft", "sent", name="native_status"), nullable=True))
        found = await asyncio.to_thread(differences, url)
        assert "invoices.status: the native enum type native_status differs: the model adds 'sent'" in found.lines
        with pytest.raises(UserError, match="enum_type"):
            await asyncio.to_thread(make_revision, url, "Change")


class TestCheckConstraint:
    async def test_is_added_and_removed(self, url: str, define: Define) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        define(Column("cents", Integer, nullable=False))
        await revise(url)
        define(Column("cents", Integer, nullable=False), CheckConstraint("cents >= 0", name="cents"))
        assert not await agree(url)
        await revise(url)
        assert await agree(url)
        define(Column("cents", Integer, nullable=False))
        assert not await agree(url)
        await revise(url)
        assert await agree(url)


async def value(url: str, statement: str) -> object:
    return await asyncio.to_thread(on_database, url, lambda connection: connection.scalar(text(statement)))
