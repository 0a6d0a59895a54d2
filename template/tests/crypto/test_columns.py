"""Encrypted columns, as the ORM and plain statements read and write them."""

import json
from uuid import UUID

import pytest
from pydantic import BaseModel, SecretStr
from sqlalchemy import Executable, MetaData, func, insert, select, text, union_all, update
from sqlalchemy.orm import aliased
from sqlmodel import Field, SQLModel, col
from uuid_utils.compat import uuid7

from app.core.data_policy.personal_data import export_user
from app.core.db.database import Database, insert_if_absent
from app.core.db.pagination import PageParams
from app.core.runtime import Runtime
from app.crypto.columns import EncryptedColumnError, EncryptedText, RowSecret
from tests.crypto.integrations import Integration, IntegrationRepository, Numbered, Preference

ME = uuid7()
SECRET = "sk_ä€😀'\"\\%_"


def integration(token: str = SECRET, *, note: str | None = None) -> Integration:
    return Integration(owner_id=ME, name="crm", token=SecretStr(token), note=None if note is None else SecretStr(note))


async def store(runtime: Runtime, *rows: SQLModel) -> None:
    async with runtime.database.transaction() as session:
        session.add_all(rows)


async def load(runtime: Runtime, id_: UUID) -> Integration:
    async with runtime.database.reading() as session:
        return (await session.scalars(select(Integration).where(col(Integration.id) == id_))).one()


async def raw(runtime: Runtime, column: str = "token", table: str = "integrations") -> list[str]:
    async with runtime.database.reading() as session:
        return list(await session.scalars(text(f"SELECT {column} FROM {table}")))  # noqa: S608 - the test's own


async def overwrite(runtime: Runtime, statement: str, **values: object) -> None:
    async with runtime.database.transaction() as session:
        await session.execute(text(statement), values)


class TestReadingAndWriting:
    async def test_a_value_is_read_back_and_stored_as_ciphertext(self, runtime: Runtime) -> None:
        row = integration(note="private")
        await store(runtime, row)

        loaded = await load(runtime, row.id)

        assert loaded.token.get_secret_value() == SECRET
        assert loaded.note is not None
        assert loaded.note.get_secret_value() == "private"
        (stored,) = await raw(runtime)
        assert stored.startswith("v1.local.")
        assert SECRET not in stored

    async def test_none_stays_null(self, runtime: Runtime) -> None:
        row = integration()
        await store(runtime, row)

        assert (await load(runtime, row.id)).note is None
        assert await raw(runtime, "note") == [None]
        async with runtime.database.reading() as session:
            found = await session.scalars(select(col(Integration.id)).where(col(Integration.note).is_(None)))
            assert found.all() == [row.id]

    async def test_equal_values_have_different_ciphertexts(self, runtime: Runtime) -> None:
        await store(runtime, integration(), integration())

        assert len(set(await raw(runtime))) == 2

    async def test_only_changed_values_are_encrypted_again(self, runtime: Runtime) -> None:
        row = integration(note="first")
        await store(runtime, row)
        (before,) = await raw(runtime)
        async with runtime.database.transaction() as session:
            loaded = (await session.scalars(select(Integration))).one()
            loaded.note = SecretStr("second")

        changed = await load(runtime, row.id)

        assert changed.note is not None
        assert changed.note.get_secret_value() == "second"
        assert await raw(runtime) == [before]

    async def test_single_columns_aliases_and_subqueries(self, runtime: Runtime) -> None:
        row = integration()
        await store(runtime, row)
        other = aliased(Integration)
        inner = select(Integration).subquery()
        statements: list[Executable] = [
            select(col(Integration.token)),
            select(col(other.token)).where(col(other.id) == row.id),
            select(inner.c.token),
            select(inner.c.token).order_by(inner.c.id),
            union_all(select(col(Integration.token)), select(col(other.token)).where(col(other.id) != row.id)),
        ]

        async with runtime.database.reading() as session:
            for statement in statements:
                assert (await session.execute(statement)).scalar_one().get_secret_value() == SECRET

    async def test_returning(self, runtime: Runtime) -> None:
        id_ = uuid7()
        values = {"id": id_, "owner_id": ME, "name": "crm", "token": RowSecret("one", row=id_)}
        async with runtime.database.transaction() as session:
            returned = await session.execute(
                insert(Integration).values(**values).returning(col(Integration.token), col(Integration.id))
            )
            assert returned.one()[0].get_secret_value() == "one"

    async def test_the_repository(self, runtime: Runtime) -> None:
        class Shown(BaseModel):
            id: UUID
            token: SecretStr

        async with runtime.database.transaction() as session:
            repository = IntegrationRepository(session)
            row = await repository.create_with_owner({"name": "crm", "token": SecretStr("one")}, ME)
            await repository.update(row, {"token": SecretStr("two")})
            session.expunge_all()
            found = await repository.require(row.id, owner_id=ME)
            assert found.token.get_secret_value() == "two"
            page = await repository.page(Shown, PageParams(), owner_id=ME)
            assert [item.token.get_secret_value() for item in page.items] == ["two"]
            assert "two" not in page.model_dump_json()

    async def test_integers_as_keys(self, runtime: Runtime) -> None:
        await store(runtime, Numbered(id=7, secret=SecretStr("seven")))

        async with runtime.database.reading() as session:
            assert (await session.scalars(select(Numbered))).one().secret.get_secret_value() == "seven"

    async def test_without_row_binding_any_statement_writes(self, runtime: Runtime) -> None:
        await store(runtime, Preference(user="a", name="x"))
        async with runtime.database.transaction() as session:
            await session.execute(update(Preference).values(value=SecretStr("new")))
            values = {"user": "b", "name": "x", "value": SecretStr("other")}
            assert await insert_if_absent(session, Preference, values, unique=("user", "name"))

        async with runtime.database.reading() as session:
            found = await session.scalars(select(col(Preference.value)).order_by(col(Preference.user)))
            assert [value.get_secret_value() for value in found if value is not None] == ["new", "other"]


class TestRefusals:
    async def test_a_string_is_not_a_secret(self, runtime: Runtime) -> None:
        row = integration()
        row.token = "plain"  # type: ignore[assignment]  # what is refused
        with pytest.raises(EncryptedColumnError, match=r"integrations\.token takes a SecretStr") as raised:
            await store(runtime, row)
        assert "plain" not in str(raised.value)

    async def test_a_statement_that_does_not_name_the_row(self, runtime: Runtime) -> None:
        await store(runtime, integration())
        async with runtime.database.transaction() as session:
            with pytest.raises(Exception, match=r"integrations\.token is bound to its row"):
                await session.execute(update(Integration).values(token=SecretStr("hidden")))

    @pytest.mark.parametrize(
        "compare",
        [
            lambda it: it == SecretStr("a"),
            lambda it: it.like("a%"),
            lambda it: it.in_([SecretStr("a")]),
            lambda it: it.desc(),
            lambda it: it > SecretStr("a"),
            lambda it: it + "a",
            lambda it: it.between("a", "b"),
            lambda it: it.startswith("v1"),
        ],
    )
    def test_operators(self, compare: object) -> None:
        assert callable(compare)
        with pytest.raises(EncryptedColumnError, match="encrypted: it can be compared with None"):
            compare(col(Integration.token))

    async def test_a_subquery_without_the_key(self, runtime: Runtime) -> None:
        inner = select(col(Integration.token)).subquery()
        async with runtime.database.reading() as session:
            with pytest.raises(EncryptedColumnError, match="select its primary key in the subquery"):
                await session.execute(select(inner.c.token))

    async def test_an_engine_without_keys(self, engine_database: Database) -> None:
        async with engine_database.reading() as session:
            with pytest.raises(Exception, match="this engine has no keys"):
                await session.execute(insert(Preference).values(user="a", name="b", value=SecretStr("hidden")))

    def test_one_type_for_two_columns(self) -> None:
        shared = EncryptedText()

        class First(SQLModel):
            one: SecretStr = Field(sa_type=shared)
            two: SecretStr = Field(sa_type=shared)

        with pytest.raises(TypeError, match="needs a type of its own"):

            class Second(First, table=True):
                metadata = MetaData()
                id: int = Field(primary_key=True)

    async def test_a_changed_primary_key(self, runtime: Runtime) -> None:
        await store(runtime, integration())
        with pytest.raises(EncryptedColumnError, match="a primary key can't change"):
            async with runtime.database.transaction() as session:
                (await session.scalars(select(Integration))).one().id = uuid7()

    async def test_a_primary_key_that_the_database_generates(self, runtime: Runtime) -> None:
        row = Numbered(id=1, secret=SecretStr("one"))
        row.id = None  # type: ignore[assignment]  # as in a table that counts its rows
        with pytest.raises(EncryptedColumnError, match="whose primary key the database generates"):
            await store(runtime, row)


class TestSwapped:
    async def test_between_rows(self, runtime: Runtime) -> None:
        mine, other = integration("mine"), integration("other")
        await store(runtime, mine, other)
        first, second = await raw(runtime)
        for value in (first, second):
            await overwrite(runtime, "UPDATE integrations SET token = :value", value=value)
            with pytest.raises(EncryptedColumnError, match="damaged, was moved"):
                async with runtime.database.reading() as session:
                    (await session.scalars(select(Integration))).all()

    async def test_between_columns(self, runtime: Runtime) -> None:
        row = integration(note="note")
        await store(runtime, row)
        await overwrite(runtime, "UPDATE integrations SET note = token")

        with pytest.raises(EncryptedColumnError, match=r"integrations\.note: .* was moved"):
            await load(runtime, row.id)

    @pytest.mark.parametrize(
        "change", ["substr(token, 1, 40)", "''", "'plain text'", "token || 'A'", "substr(token, 4)"]
    )
    async def test_damaged(self, runtime: Runtime, change: str) -> None:
        row = integration()
        await store(runtime, row)
        await overwrite(runtime, f"UPDATE integrations SET token = {change}")  # noqa: S608 - the test's own

        with pytest.raises(EncryptedColumnError, match=r"integrations\.token"):
            await load(runtime, row.id)

    async def test_an_unknown_key_is_named(self, runtime: Runtime) -> None:
        row = integration()
        await store(runtime, row)
        await overwrite(runtime, "UPDATE integrations SET token = replace(token, 'v1.local.', 'v1.2019.')")

        with pytest.raises(EncryptedColumnError, match=r"integrations\.token: .* the key '2019', which is not among"):
            await load(runtime, row.id)


class TestSecrecy:
    async def test_representations(self, runtime: Runtime) -> None:
        row = integration("hidden-value", note="hidden-note")
        await store(runtime, row)
        loaded = await load(runtime, row.id)

        for shown in (loaded, row):
            assert "hidden" not in f"{shown!r} {shown} {shown.model_dump_json()}"

    async def test_the_export_has_the_plaintext(self, runtime: Runtime) -> None:
        await store(runtime, integration("mine"))

        exported = json.loads(b"".join([part async for part in export_user(runtime, ME)]))

        assert exported["tables"]["integrations"][0]["token"] == "mine"

    async def test_counting_needs_no_key(self, runtime: Runtime) -> None:
        await store(runtime, integration())
        async with runtime.database.reading() as session:
            assert (await session.scalars(select(func.count(col(Integration.token))))).one() == 1
